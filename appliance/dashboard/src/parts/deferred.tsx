/** A part of a view whose code comes later: the first paint does not wait for it. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** `load` is called once, when the browser has time; `children` hold its place until then. A former answer is used at once. */
export function deferred<Props extends object>(load: () => Promise<ComponentType<Props>>): (props: Props & { children?: ComponentChildren }) => ComponentChildren {
  let loaded: ComponentType<Props> | null = null;
  return ({ children, ...props }) => {
    const [, setLoaded] = useState(loaded !== null);
    useEffect(() => {
      if (loaded !== null) return;
      const idle = window.requestIdleCallback ?? ((then: () => void) => setTimeout(then, 1));
      const id = idle(
        () =>
          void load().then(
            (found) => {
              loaded = found;
              setLoaded(true);
            },
            () => undefined, // the shell says that a part is missing
          ),
        { timeout: 300 },
      );
      return () => (window.cancelIdleCallback ?? clearTimeout)(id);
    }, []);
    const Found = loaded as ComponentType<object> | null;
    return Found === null ? children : <Found {...props} />;
  };
}
