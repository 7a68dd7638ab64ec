/** A name from the network inside a sentence. */
import { visible } from '../live/formats';

/** Its direction is its own, and a long one is cut: the whole is in the title. */
export function Name({ of }: { of: string }) {
  const name = visible(of);
  return (
    <bdi class="name-cut" title={name}>
      {name}
    </bdi>
  );
}
