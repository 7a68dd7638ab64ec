import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Audit() {
  useTitle({ text: names.audit });
  return <h1>{names.audit}</h1>;
}
