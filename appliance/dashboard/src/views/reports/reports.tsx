import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Reports() {
  useTitle({ text: names.reports });
  return <h1>{names.reports}</h1>;
}
