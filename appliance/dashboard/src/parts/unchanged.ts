/** A component that is drawn again only when one of its props is another value.
 *
 * A table's row is one, and no element in `useMemo`: Preact links an element to the tree in which it was first drawn, so that a
 * remembered row keeps that tree, whose rows keep older ones, and the page would grow with each row that moves.
 */
import { Component } from 'preact';

export abstract class Unchanged<Props extends object> extends Component<Props> {
  override shouldComponentUpdate(next: Readonly<Props>): boolean {
    return (Object.keys(next) as (keyof Props)[]).some((key) => next[key] !== this.props[key]);
  }
}
