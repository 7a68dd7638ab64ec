import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Blocks() {
  useTitle({ text: names.blocks });
  return <h1>{names.blocks}</h1>;
}
