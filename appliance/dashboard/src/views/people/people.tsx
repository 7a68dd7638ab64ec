import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function People() {
  useTitle({ text: names.people });
  return <h1>{names.people}</h1>;
}
