import { nameOf } from '../../live/state';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Department({ id = '' }: { id?: string }) {
  useTitle({ text: names.departments, href: '/departments' }, { text: nameOf(id) });
  return <h1>{nameOf(id)}</h1>;
}
