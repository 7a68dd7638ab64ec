import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Maintenance() {
  useTitle({ text: names.maintenance });
  return <h1>{names.maintenance}</h1>;
}
