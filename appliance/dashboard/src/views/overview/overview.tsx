import { departments } from '../../live/state';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';

export default function Overview() {
  useTitle({ text: names.overview });
  return (
    <>
      <h1 class="sr">{names.overview}</h1>
      <ul>
        {departments.value.map((one) => (
          <li key={one.id}>
            {one.facts.value.name} {one.rateDown}
          </li>
        ))}
      </ul>
    </>
  );
}
