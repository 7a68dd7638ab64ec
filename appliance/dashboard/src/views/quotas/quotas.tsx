import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Quotas() {
  useTitle({ text: names.quotas });
  return <h1>{names.quotas}</h1>;
}
