/** What a report says: the answer of `report:get`, in which one incident is one entry. */
import type { Calls } from '../../live/contract';

export type Report = Calls['report:get']['reply'];
