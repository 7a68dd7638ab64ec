import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Websites() {
  useTitle({ text: names.websites });
  return <h1>{names.websites}</h1>;
}
