import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Incidents() {
  useTitle({ text: names.incidents });
  return <h1>{names.incidents}</h1>;
}
