import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Appliance() {
  useTitle({ text: names.appliance });
  return <h1>{names.appliance}</h1>;
}
