import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Devices() {
  useTitle({ text: names.devices });
  return <h1>{names.devices}</h1>;
}
