import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function OneIncident({ id = '' }: { id?: string }) {
  useTitle({ text: names.incidents, href: '/incidents' }, { text: id });
  return <h1>{id}</h1>;
}
