import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Settings() {
  useTitle({ text: names.settings });
  return <h1>{names.settings}</h1>;
}
