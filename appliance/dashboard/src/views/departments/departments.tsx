import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Departments() {
  useTitle({ text: names.departments });
  return <h1>{names.departments}</h1>;
}
