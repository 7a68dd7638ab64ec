/* Generated from the appliance's contract by generate-contract.mjs, which says how: do not edit it. */

/**
 * What has happened to a ledger.
 */
export type AlertKind = 'critical' | 'exceeded' | 'reset' | 'warning';
/**
 * The lengths of a quota period.
 */
export type QuotaKind = 'daily' | 'monthly' | 'weekly';
/**
 * The gravity of an incident, the worst last.
 */
export type Severity = 'critical' | 'high' | 'low' | 'medium';
/**
 * What lowers a score, or should only be known.
 */
export type ReasonKind =
  | 'absent'
  | 'blocks'
  | 'busy'
  | 'down'
  | 'frames'
  | 'incidents'
  | 'notes'
  | 'open'
  | 'position'
  | 'quota'
  | 'setup'
  | 'strangers'
  | 'troubles';
/**
 * The direction in which the bandwidth changes.
 */
export type Trend = 'decreasing' | 'increasing' | 'stable';
/**
 * The state of one LED.
 */
export type Light = 'fast' | 'goes out' | 'off' | 'on' | 'one flash' | 'slow' | 'three flashes' | 'two flashes';
/**
 * The type of a maintenance in its event: planned ahead, begun by hand, or over.
 */
export type MaintenanceKind = 'completed' | 'manual' | 'scheduled';
/**
 * How often a maintenance is planned again: each day, or each week or month on the same day.
 */
export type Repeat = 'daily' | 'monthly' | 'weekly';
/**
 * What becomes of blocks and quotas while a maintenance runs: they stay enforced, or everything passes.
 */
export type InMaintenance = 'opens' | 'stays';
/**
 * How far an update has come.
 */
export type UpdateState = 'checking' | 'confirmed' | 'failed' | 'fetching' | 'installed' | 'installing' | 'returned' | 'trial';
/**
 * The contract's error codes, as they travel on the wire.
 */
export type Code =
  | 'E_BAD_REQUEST'
  | 'E_CONFLICT'
  | 'E_FORBIDDEN'
  | 'E_INTERNAL'
  | 'E_MAINTENANCE'
  | 'E_NOT_ENFORCEABLE'
  | 'E_PROTECTED_ADDRESS'
  | 'E_QUOTA_EXCEEDED'
  | 'E_RATE_LIMITED'
  | 'E_TOKEN_EXPIRED'
  | 'E_UNAUTHORIZED'
  | 'E_UNKNOWN_DEPARTMENT';
/**
 * The appliance's place in the network; only `MIRROR` cannot enforce anything.
 */
export type Position = 'bridge' | 'gateway' | 'host' | 'mirror';
/**
 * What the appliance does with a department that has used up a quota.
 */
export type Action = 'alert' | 'block' | 'throttle';
/**
 * What is kept of visits: nothing, the site, or the site and the devices that visited it.
 */
export type Record = 'device' | 'off' | 'site';
/**
 * What a schedule does in its window.
 */
export type ScheduleEffect = 'allow' | 'block' | 'unlimited';
/**
 * A day on which a window begins, in the order of `date.weekday`.
 */
export type Weekday = 'fri' | 'mon' | 'sat' | 'sun' | 'thu' | 'tue' | 'wed';
/**
 * What a source does.
 */
export type IncidentKind =
  | 'address_conflict'
  | 'arp_spoofing'
  | 'brute_force'
  | 'dns_tunnel'
  | 'host_sweep'
  | 'listed_contact'
  | 'outbound_volume'
  | 'port_scan'
  | 'rogue_dhcp'
  | 'rogue_router'
  | 'syn_flood'
  | 'udp_flood';
/**
 * How an incident has changed.
 */
export type IncidentChange = 'closed' | 'escalated' | 'opened' | 'spread';
/**
 * The widths of a bucket, narrowest first.
 */
export type Step = '5min' | 'day' | 'hour' | 'minute' | 'month';
/**
 * How far the backup is that the page makes or restores.
 */
export type BackupStage = 'failed' | 'given' | 'judged' | 'judging' | 'made' | 'making' | 'none';
/**
 * How the button was pressed.
 */
export type Press = 'held' | 'long' | 'short';
/**
 * What a person or token may do; each role includes the ones before it.
 */
export type Role = 'admin' | 'operator' | 'viewer';
/**
 * How a token was made.
 */
export type TokenOrigin = 'issued' | 'issuer' | 'login';

export interface Contract {
  events: Events;
  calls: Calls;
  refusal: Refusal;
}
export interface Events {
  'usage:update': UsageUpdate;
  'quota:alert': QuotaAlert;
  'quota:host': HostQuota;
  'quota:request': QuotaRequested;
  'security:incident': SecurityIncident;
  'department:status': DepartmentStatus;
  'ip:blocked': IpBlocked;
  'ip:unblocked': IpUnblocked;
  'analytics:update': AnalyticsUpdate;
  'analytics:anomaly': AnalyticsAnomaly;
  'device:new': DeviceNew;
  'system:health': SystemHealth;
  'system:maintenance': SystemMaintenance;
  'config:trial': ConfigOnTrial;
  'system:update': SystemUpdate;
  error: ErrorEvent | QuotaExceeded;
}
/**
 * A department's usage, every metering period.
 */
export interface UsageUpdate {
  timestamp: string;
  departmentId: string;
  metrics: UsageMetrics;
}
/**
 * `bytesTransferred`: in and out since the local day began; `bandwidthUtilization`: 0..1 of the line rate.
 *
 * `unaccountedPercent`: of the interface's bytes, those that no meter claims. `unclaimedBytes`: IP traffic at the
 * interface that belongs to no department, since its meter began. `reachesLimitAt`: when the quota is used up at the
 * rate of the last minutes. `rateUp` and `rateDown`: bytes per second over the last metering period. `bytesUp` and
 * `bytesDown`: the two parts of `bytesTransferred`, where they are known. `limitsPaused`: sent, as true, while a
 * schedule has the quotas limit nobody.
 */
export interface UsageMetrics {
  bytesTransferred: number;
  activeConnections: number;
  bandwidthUtilization: number;
  unaccountedPercent?: number;
  unclaimedBytes?: number;
  reachesLimitAt?: string;
  rateUp?: number;
  rateDown?: number;
  bytesUp?: number;
  bytesDown?: number;
  limitsPaused?: boolean;
}
/**
 * A ledger has passed a threshold. `type`: warning, critical, exceeded or reset.
 */
export interface QuotaAlert {
  timestamp: string;
  departmentId: string;
  alertId?: number;
  type: AlertKind;
  quota: QuotaBooks;
}
/**
 * `type`: daily, weekly or monthly; `used` and `limit` in bytes; `percentage` of the limit.
 */
export interface QuotaBooks {
  type: QuotaKind;
  used: number;
  limit: number;
  percentage: number;
  resetsAt?: string;
}
/**
 * A host's own ledger has passed a threshold. The appliance's own event; `type` and `quota` as in `quota:alert`.
 *
 * `host`: its address, IPv4 first, or its MAC address where none is known. `addresses`: all that are known of the
 * device with this `mac`; behind a router, where MAC addresses do not show, `behindRouter` is true instead.
 */
export interface HostQuota {
  timestamp: string;
  departmentId: string;
  alertId?: number;
  host: string;
  type: AlertKind;
  quota: QuotaBooks;
  mac?: string;
  addresses?: string[];
  behindRouter?: boolean;
}
/**
 * A person who is cut off asks for more, or was answered. The appliance's own event.
 */
export interface QuotaRequested {
  timestamp: string;
  departmentId: string;
  request: RequestFacts;
}
/**
 * A cut-off person's request for more. `address`: of their computer; `text`: what they need it for.
 *
 * `state`: open, granted or declined; `by`: who answered it, with their `reason`.
 */
export interface RequestFacts {
  id: string;
  departmentId: string;
  address: string;
  name: string;
  text: string;
  at: string;
  state: string;
  by?: string;
  reason?: string;
}
/**
 * Hostile or broken behaviour. `severity`: low, medium, high or critical.
 */
export interface SecurityIncident {
  timestamp: string;
  departmentId: string;
  alertId?: number;
  severity: Severity;
  incident: IncidentFacts;
}
/**
 * `source`: the address that caused it; `details`: the evidence in numbers; `state`: open or closed.
 *
 * `proven`: whether the source has proved that the address is its own, or anyone may have sent this in its name;
 * `notBlocked`: why the source is not blocked although its severity is one from which sources are. `openedAt`: when
 * it began first; `times`: how often it came, the first time with it; `count`: of what `details` says.
 *
 * `incidentId`: of `incident:get`; `expected`: what would be ordinary; `peers`, `ports`: examples of whom it
 * concerned, and where; `devices`: the hardware addresses that sent it; `inside`: whether the source is in the
 * department, left out where that is not known; `advice`: what to look at. `knownDevices`: which devices of the
 * department source, peers and `devices` are, left out where none is known. `values`: the numbers and names that
 * `details` and `expected` say, to say them in another language.
 */
export interface IncidentFacts {
  type: string;
  source: string;
  details: string;
  state?: 'closed' | 'open';
  proven?: boolean;
  notBlocked?: string;
  openedAt?: string;
  times?: number;
  count?: number;
  incidentId?: string;
  expected?: string;
  peers?: string[];
  ports?: string[];
  devices?: string[];
  inside?: boolean;
  advice?: string;
  knownDevices?: IncidentDeviceFacts[];
  values?: {
    [k: string]: string | number;
  };
}
/**
 * A device that an incident is about, as it was known then. `name`: how people know it, null where none is.
 *
 * `address`: the source or peer that was its own, left out where only its hardware address is in the incident.
 */
export interface IncidentDeviceFacts {
  mac: string;
  name: string | null;
  vendor: string | null;
  address?: string;
}
/**
 * The state of a department's connection, on change and at least every 30 seconds.
 */
export interface DepartmentStatus {
  timestamp: string;
  departmentId: string;
  status: DepartmentCondition;
}
/**
 * `connectedUsers`: devices seen in the last 5 minutes; `healthScore`: 0..1; `reasons` why it is below 1.
 *
 * `losses`: by how much each lowers it; with the score they add up to 1. `kinds`: of `reasons`, in the same order, to
 * say them in another language.
 */
export interface DepartmentCondition {
  active: boolean;
  connectedUsers: number;
  healthScore: number;
  reasons?: string[];
  losses?: HealthLoss[];
  kinds?: HealthReason[];
  blocks?: BlockTally;
}
/**
 * `points`: what the health score is lower by, for this reason.
 */
export interface HealthLoss {
  reason: string;
  points: number;
}
/**
 * What lowers a health score, or should only be known. `values`: the numbers and names that its sentence says.
 */
export interface HealthReason {
  kind: ReasonKind;
  values: {
    [k: string]: string | number;
  };
}
/**
 * The number of blocks that a department should have, and that the kernel enforces there.
 */
export interface BlockTally {
  wanted: number;
  enforced: number;
}
/**
 * A block starts to be enforced.
 */
export interface IpBlocked {
  timestamp: string;
  departmentId: string;
  ip: BlockedIp;
}
/**
 * `duration`: seconds, 0 until lifted; `enforced` is sent, as false, where the position cannot enforce.
 */
export interface BlockedIp {
  address: string;
  reason: string;
  duration: number;
  enforced?: boolean;
}
/**
 * A block was lifted or has expired. The appliance's own event beside the documented ones.
 */
export interface IpUnblocked {
  timestamp: string;
  departmentId: string;
  ip: UnblockedIp;
}
/**
 * `reason`: why the block ended.
 */
export interface UnblockedIp {
  address: string;
  reason: string;
}
/**
 * A department's activity, every analytics period, for its subscribers.
 */
export interface AnalyticsUpdate {
  timestamp: string;
  departmentId: string;
  metrics: AnalyticsMetrics;
}
/**
 * `activeUsers`: devices with activity in the last 5 minutes; `topWebsites`: most visited first.
 *
 * `expected`: what `bandwidth` usually is at this hour, once a day of it is known. `unnamedShare`: the share of the
 * last hour's connections that got no name, 0 to 1.
 */
export interface AnalyticsMetrics {
  activeUsers: number;
  topWebsites: Website[];
  bandwidth: Bandwidth;
  expected?: ExpectedRate;
  unnamedShare?: number;
}
/**
 * `domain`: registrable domain, in its own script; `visits`: of a device within half an hour, in the last hour.
 *
 * `bytes`: of its connections over TCP that ended, both directions; `devices`: that visited it.
 */
export interface Website {
  domain: string;
  visits: number;
  bytes?: number;
  devices?: number;
}
/**
 * `current`: bytes per second, in and out; `trend`: increasing, decreasing or stable.
 */
export interface Bandwidth {
  current: number;
  trend: Trend;
}
/**
 * The usual least and most bytes per second at this hour.
 */
export interface ExpectedRate {
  low: number;
  high: number;
}
/**
 * A rate that is not usual for a department, for its subscribers.
 */
export interface AnalyticsAnomaly {
  timestamp: string;
  departmentId: string;
  alertId?: number;
  anomaly: AnomalyFacts;
}
/**
 * `severity`: low, medium, high or critical; `confidence`: 0..1.
 *
 * `direction`: up or down, left out for both together; `rate`: bytes per second; `expected`: what is usual then, by so
 * many `days`, or, where they are left out, by the last minutes; `since`: when it began; `top`: the host that carries
 * most of it, at `topRate` bytes per second.
 */
export interface AnomalyFacts {
  type: string;
  severity: Severity;
  details: string;
  confidence: number;
  direction?: 'down' | 'up';
  rate?: number;
  expected?: ExpectedRate;
  since?: string;
  top?: string;
  days?: number;
  topRate?: number;
}
/**
 * A device that the department never had: once, a few seconds after it came. The appliance's own event.
 */
export interface DeviceNew {
  timestamp: string;
  departmentId: string;
  alertId?: number;
  device: DeviceFacts;
}
/**
 * A device. `name`: what people call it, else what it calls itself; null where neither is known.
 *
 * `nameFrom`: label (people's), dhcp, mdns or dns; `called`: what it calls itself, where people call it otherwise.
 * `vendor`: of its hardware; `isRandomised`: it has made its `mac` up. `addresses`: of the last day. `isNew`: it
 * came lately, after the devices were learned.
 */
export interface DeviceFacts {
  departmentId: string;
  mac: string;
  name: string | null;
  nameFrom: ('dhcp' | 'dns' | 'label' | 'mdns') | null;
  vendor: string | null;
  isRandomised: boolean;
  addresses: string[];
  firstSeen: string;
  lastSeen: string;
  isNew: boolean;
  called?: string;
}
/**
 * The state of the appliance itself, every health period.
 */
export interface SystemHealth {
  timestamp: string;
  status: SystemState;
}
/**
 * The computer's gauges; `troubles`: a sentence for each thing that does not work.
 *
 * `clients`: the number of those that are logged in; `startedAt`: when the service was; `interfaces`: its ports;
 * `panel`: what its LEDs show. `issues`: what does not work, or soon will not; those of high severity are troubles,
 * too. `unchecked`: the ids of what cannot be found here.
 */
export interface SystemState {
  cpu: CpuHealth;
  memory: Fill;
  storage: Fill;
  troubles?: string[];
  clients?: number;
  startedAt?: string;
  interfaces?: PortState[];
  panel?: PanelLights;
  issues?: HealthIssue[];
  unchecked?: string[];
}
/**
 * `usage`: percent; `temperature`: degrees Celsius; null without a sensor.
 */
export interface CpuHealth {
  usage: number;
  temperature: number | null;
}
/**
 * Bytes used of a total.
 */
export interface Fill {
  used: number;
  total: number;
}
/**
 * A network port. `speed`: bytes per second, null where unknown; `errors`, `drops`: packets since it exists.
 */
export interface PortState {
  name: string;
  up: boolean;
  speed: number | null;
  errors: number;
  drops: number;
}
/**
 * What the LEDs show: the rhythm of `status` and `alert`, and the brightness of `activity`, 0 to 1.
 */
export interface PanelLights {
  status: Light;
  alert: Light;
  activity: number;
}
/**
 * An issue of the appliance itself. `id`: of what found it; `since`: when it was first found.
 *
 * `cause`: what was found; `suggestion`: what a person can do. `values`: the numbers and names that `cause` says.
 */
export interface HealthIssue {
  id: string;
  severity: Severity;
  cause: string;
  suggestion: string;
  since: string;
  values?: {
    [k: string]: string | number;
  };
}
/**
 * A maintenance was announced, started, extended or ended. `planned`: all that are announced, the next first.
 */
export interface SystemMaintenance {
  timestamp: string;
  maintenance: MaintenanceFacts;
  planned?: MaintenanceFacts[];
}
/**
 * `type`: scheduled, manual or completed; `startTime` as a timestamp; `duration` seconds; `impact` a sentence.
 *
 * `actor`: who asked for it; `begun`: false while it is only announced; `endsAt`: when it ends, or has ended.
 * `id`: its name in calls; `repeat`: how often it is planned again, where it is. `enforcement`: of blocks and quotas
 * while it runs.
 */
export interface MaintenanceFacts {
  type: MaintenanceKind;
  startTime: string;
  duration: number;
  impact: string;
  actor?: string;
  begun?: boolean;
  endsAt?: string;
  id?: string;
  repeat?: Repeat;
  enforcement?: InMaintenance;
}
/**
 * A configuration's trial has begun, goes on or, as null, is over. The appliance's own event.
 */
export interface ConfigOnTrial {
  timestamp: string;
  trial: TrialFacts | null;
}
/**
 * A configuration on trial. `remaining`: seconds left to confirm it; `actor` began it.
 */
export interface TrialFacts {
  remaining: number;
  actor: string;
}
/**
 * An update has begun, goes on or is over; null: there was none. The appliance's own event.
 *
 * `version` and `root`: what runs; null where the computer is not run by the image.
 */
export interface SystemUpdate {
  timestamp: string;
  version: string | null;
  root: string | null;
  update: UpdateFacts | null;
}
/**
 * The latest update. `actor` began it at `startedAt`; `percent`: of its `state`.
 *
 * `version`: of the bundle; empty until it is read. `reason`: why it failed or returned. `url`: of the bundle, for
 * administrators.
 */
export interface UpdateFacts {
  state: UpdateState;
  version: string;
  actor: string;
  startedAt: string;
  percent: number | null;
  reason: string | null;
  url?: string;
}
/**
 * An error of one client: its call failed, or its token expired. Sent to that client only.
 */
export interface ErrorEvent {
  timestamp: string;
  code: Code;
  message: string;
}
/**
 * The `error` beside an `exceeded` alert; `used` and `limit` in bytes.
 */
export interface QuotaExceeded {
  timestamp: string;
  departmentId: string;
  code: Code;
  message: string;
  used: number;
  limit: number;
  resetsAt: string;
}
export interface Calls {
  'appliance:get': {
    argument?: Nothing;
    reply: ApplianceReply;
  };
  'certificate:get': {
    argument?: Nothing;
    reply: CertificateReply;
  };
  'analytics:subscribe': {
    /**
     * a department's id, such as dept123
     */
    argument: string;
    reply: Done;
  };
  'analytics:unsubscribe': {
    /**
     * a department's id, such as dept123
     */
    argument: string;
    reply: Done;
  };
  'site:list': {
    argument: SitesArgument;
    reply: SitesReply;
  };
  'device:list': {
    argument?: DevicesArgument;
    reply: DevicesReply;
  };
  'device:get': {
    argument: DeviceArgument;
    reply: DeviceReply;
  };
  'device:name': {
    argument: DeviceNameArgument;
    reply: DeviceReply;
  };
  'ip:block': {
    argument?: BlockArgument;
    reply: BlockReply | BlocksReply | PreviewReply;
  };
  'ip:unblock': {
    argument?: UnblockArgument;
    reply: Done | UnblockedReply;
  };
  'ip:list': {
    argument?: ListArgument;
    reply: BlockListReply;
  };
  'list:get': {
    argument?: Nothing;
    reply: ListReply;
  };
  'schedule:list': {
    argument?: Nothing;
    reply: SchedulesReply;
  };
  'schedule:add': {
    argument: ScheduleArgument;
    reply: ScheduleReply;
  };
  'schedule:remove': {
    argument: RemoveScheduleArgument;
    reply: Done;
  };
  'quota:get': {
    argument?: string | null;
    reply: QuotaReply | QuotasReply;
  };
  'quota:closed': {
    argument: ClosedArgument;
    reply: ClosedReply;
  };
  'quota:requests': {
    argument?: RequestsArgument;
    reply: RequestsReply;
  };
  'quota:decline': {
    argument: DeclineArgument;
    reply: RequestReply;
  };
  'quota:set': {
    argument: LimitArgument;
    reply: QuotaReply;
  };
  'quota:extend': {
    argument: ExtendArgument;
    reply: QuotaReply;
  };
  'history:get': {
    argument: HistoryArgument;
    reply: HistoryReply;
  };
  'anomaly:list': {
    argument: AnomaliesArgument;
    reply: AnomaliesReply;
  };
  'incident:list': {
    argument?: IncidentsArgument;
    reply: IncidentsReply;
  };
  'incident:get': {
    argument: IncidentArgument;
    reply: IncidentReply;
  };
  'incident:acknowledge': {
    argument: AcknowledgeArgument;
    reply: AcknowledgeReply;
  };
  'incident:mute': {
    argument: MuteArgument;
    reply: MuteReply;
  };
  'incident:unmute': {
    argument: IncidentArgument;
    reply: MuteReply;
  };
  'report:get': {
    argument: ReportArgument;
    reply: ReportReply;
  };
  'config:get': {
    argument?: Nothing;
    reply: TrialReply;
  };
  'config:apply': {
    argument: ApplyArgument;
    reply: ApplyReply;
  };
  'config:confirm': {
    argument?: Nothing;
    reply: Done;
  };
  'config:read': {
    argument?: Nothing;
    reply: ConfigReply;
  };
  'config:check': {
    argument: CheckArgument;
    reply: CheckReply;
  };
  'config:reload': {
    argument?: Nothing;
    reply: ReloadReply;
  };
  'config:revert': {
    argument?: Nothing;
    reply: Done;
  };
  'firewall:release': {
    argument?: Nothing;
    reply: Done;
  };
  'system:reset': {
    argument: ResetArgument;
    reply: Done;
  };
  'backup:get': {
    argument?: Nothing;
    reply: BackupReply;
  };
  'backup:create': {
    argument: NewBackupArgument;
    reply: Done;
  };
  'backup:read': {
    argument: OffsetArgument;
    reply: PieceReply;
  };
  'backup:upload': {
    argument: PieceArgument;
    reply: GivenReply;
  };
  'backup:check': {
    argument: CheckBackupArgument;
    reply: Done;
  };
  'backup:restore': {
    argument: RestoreArgument;
    reply: Done;
  };
  'backup:discard': {
    argument?: Nothing;
    reply: Done;
  };
  'maintenance:start': {
    argument?: StartArgument;
    reply: MaintenanceReply;
  };
  'maintenance:extend': {
    argument: LongerArgument;
    reply: MaintenanceReply;
  };
  'maintenance:stop': {
    argument?: StopArgument;
    reply: MaintenanceReply;
  };
  'notification:list': {
    argument?: RecordArgument;
    reply: NotificationsReply;
  };
  'notification:test': {
    argument: ChannelArgument;
    reply: DeliveryReply;
  };
  'panel:press': {
    argument?: PressArgument;
    reply: PressReply;
  };
  'panel:test': {
    argument?: Nothing;
    reply: TestingReply;
  };
  'update:get': {
    argument?: Nothing;
    reply: UpdateReply;
  };
  'update:start': {
    argument?: UpdateArgument;
    reply: Done;
  };
  'update:restart': {
    argument?: Nothing;
    reply: Done;
  };
  'token:renew': {
    argument?: RenewArgument;
    reply: RenewReply;
  };
  'token:revoke': {
    argument?: RevokeArgument;
    reply: Done;
  };
  'token:list': {
    argument?: Nothing;
    reply: TokensReply;
  };
  'user:password': {
    argument: PasswordArgument;
    reply: Done;
  };
  'user:list': {
    argument?: Nothing;
    reply: UsersReply;
  };
  'user:add': {
    argument: AddArgument;
    reply: UserReply;
  };
  'user:remove': {
    argument: RemoveArgument;
    reply: Done;
  };
  'audit:get': {
    argument?: AuditArgument;
    reply: AuditReply;
  };
}
/**
 * The argument of a call that needs none.
 */
export interface Nothing {
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The appliance. `name`: its computer's; `timezone`: an IANA name; `contact`: null where none is configured.
 *
 * `startedAt` and `now` are times by the appliance's clock, which `isClockTrusted` or not. `buttonHold`: seconds
 * for which the panel's button is held for maintenance. `inMaintenance`: what becomes of blocks and quotas then.
 */
export interface ApplianceReply {
  success: true;
  name: string;
  version: string;
  position: Position;
  timezone: string;
  simulated: boolean;
  startedAt: string;
  now: string;
  isClockTrusted: boolean;
  contact: string | null;
  periods: EventPeriods;
  buttonHold: number;
  inMaintenance: InMaintenance;
  departments: DepartmentFacts[];
}
/**
 * Seconds between two events of a kind.
 */
export interface EventPeriods {
  metering: number;
  analytics: number;
  health: number;
}
/**
 * A department as configured.
 *
 * `lineRate`: bytes per second, configured or else negotiated; null where neither is known. `onExceeded`: what
 * happens beyond a limit, with `throttleRate` in bytes per second. `thresholds`: shares of a limit, ascending.
 */
export interface DepartmentFacts {
  id: string;
  name: string;
  interface: string;
  subnets: string[];
  lineRate: number | null;
  onExceeded: Action;
  throttleRate: number | null;
  thresholds: number[];
}
/**
 * The server's certificate; null where it speaks HTTP.
 */
export interface CertificateReply {
  success: true;
  certificate: ShownCertificate | null;
}
/**
 * A certificate. `names`: names and addresses; `fingerprint`: its SHA-256, in hexadecimal with colons.
 */
export interface ShownCertificate {
  names: string[];
  notAfter: string;
  fingerprint: string;
  selfSigned: boolean;
}
/**
 * The call is done, and there is nothing more to say.
 */
export interface Done {
  success: true;
}
/**
 * The argument of `site:list`. `limit`: of the sites, most visited first.
 */
export interface SitesArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  /**
   * a whole number from 1 to 256
   */
  limit?: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A department's websites. `background`: what programs do by themselves, by name.
 */
export interface SitesReply {
  success: true;
  departmentId: string;
  record: Record;
  sites: VisitedSite[];
  background: VisitedSite[];
  named: Named;
}
/**
 * A site of the last hour. `visits`: at most `error` too low; `bytes`: of its connections over TCP that ended.
 *
 * `devices`: how many visited it; `visitors`: which, where they are recorded.
 */
export interface VisitedSite {
  domain: string;
  visits: number;
  error: number;
  devices: number;
  bytes?: number;
  visitors?: string[];
}
/**
 * The connections of the last hour, by how far they have a name; and the bytes of those over TCP that ended.
 *
 * `hidden`: the name is encrypted; `encryptedDns`: look-ups; `unread`: packets that came too fast to be read, of all
 * departments since the start.
 */
export interface Named {
  connections: number;
  unnamed: number;
  hidden: number;
  encryptedDns: number;
  bytes: number;
  unnamedBytes: number;
  unread: number;
}
/**
 * The argument of `device:list`. `departmentId`: `None` for all that the caller may see.
 *
 * `seen`: only those that were seen within so many seconds; `isNew`: only new ones. `sort`: by when a device was seen
 * last, or first, the latest first; or by name.
 */
export interface DevicesArgument {
  departmentId?: string | null;
  contains?: string | null;
  seen?: number | null;
  /**
   * true or false
   */
  isNew?: boolean;
  /**
   * seen, first or name
   */
  sort?: 'first' | 'name' | 'seen';
  /**
   * a page's number from 1 on
   */
  page?: number;
  /**
   * a whole number from 1 to 500
   */
  limit?: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A page of devices. `total`: how many match on all pages; `next`: the next page; null on the last.
 *
 * `learning`: the departments whose devices are being learned for the first time, so that none of theirs is new.
 */
export interface DevicesReply {
  success: true;
  devices: DeviceFacts[];
  total: number;
  next: number | null;
  learning: string[];
}
/**
 * The argument of `device:get`. `host`: the device's hardware address, or any address of it.
 */
export interface DeviceArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  /**
   * a host's address, such as 192.168.1.100, or its MAC address
   */
  host: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A device. `sites`: that it visited in the last hour, where visitors are recorded.
 */
export interface DeviceReply {
  success: true;
  device: DeviceFacts;
  sites?: string[];
}
/**
 * The argument of `device:name`. `name`: what people call the device; null: nothing, its own name counts.
 */
export interface DeviceNameArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  /**
   * a host's address, such as 192.168.1.100, or its MAC address
   */
  host: string;
  name: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `ip:block`: `address`, or `addresses`, which are blocked all or none.
 *
 * `departmentId`: `None` for all departments. `preview`: only say what the block of `address` would do.
 */
export interface BlockArgument {
  address?: string | null;
  addresses?: [string, ...string[]] | null;
  /**
   * true or false
   */
  preview?: boolean;
  /**
   * one line of 1 to 200 characters
   */
  reason?: string;
  /**
   * a whole number of seconds up to 10 years, or 0 for until it is lifted
   */
  duration?: number;
  departmentId?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The block, where `address` was given.
 */
export interface BlockReply {
  success: true;
  block: BlockFacts;
}
/**
 * A block. `departmentId`: null for all departments; `duration`: seconds left, 0 until it is lifted.
 *
 * `resolved`: of a domain name; `enforced` is sent, as false, where the position cannot enforce. `refused`: packets
 * in the last hour, in `ip:list` and where that can be told.
 */
export interface BlockFacts {
  address: string;
  reason: string;
  actor: string;
  origin: string;
  departmentId: string | null;
  startedAt: string;
  expiresAt: string | null;
  duration: number;
  resolved?: ResolvedName;
  enforced?: boolean;
  refused?: number;
}
/**
 * What a blocked name resolves to: how many addresses are blocked and spared, and some of them.
 */
export interface ResolvedName {
  blocked: number;
  spared: number;
  addresses: ResolvedAddress[];
}
/**
 * An address or alias of a blocked name. `why`: the answer that gave it; `spared`: why it is not blocked.
 *
 * `shared`: that others need it too.
 */
export interface ResolvedAddress {
  address: string;
  why: string;
  expiresAt: string;
  spared?: string;
  shared?: string;
}
/**
 * How many blocks were made, where `addresses` were given; `enforced` as of a block.
 */
export interface BlocksReply {
  success: true;
  count: number;
  enforced?: boolean;
}
/**
 * What the block would do, where `preview` was asked for; nothing was done.
 */
export interface PreviewReply {
  success: true;
  preview: PreviewFacts;
}
/**
 * What a block would do. `device`: its MAC address and addresses, null where it is not known.
 *
 * `connections`: open now, null where that cannot be told; `objection`: why the block would be refused;
 * `departments`: in which it would be in force.
 */
export interface PreviewFacts {
  address: string;
  device: string | null;
  connections: number | null;
  objection: string | null;
  departments: string[];
}
/**
 * The argument of `ip:unblock`: address or addresses, and department, as they were blocked.
 *
 * `origin`: only blocks of this origin; `None` for every origin.
 */
export interface UnblockArgument {
  address?: string | null;
  addresses?: [string, ...string[]] | null;
  departmentId?: string | null;
  origin?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * How many blocks were lifted, where `addresses` were given.
 */
export interface UnblockedReply {
  success: true;
  count: number;
}
/**
 * The argument of `ip:list`; each key narrows the list.
 *
 * `contains`: part of the address or of the reason. `within`: a prefix that contains the address. `expiring`: the
 * block ends within so many seconds.
 */
export interface ListArgument {
  departmentId?: string | null;
  origin?: string | null;
  contains?: string | null;
  within?: string | null;
  expiring?: number | null;
  /**
   * a page's number from 1 on
   */
  page?: number;
  /**
   * a number of blocks from 1 to 1000
   */
  limit?: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A page of blocks. `total`: how many match on all pages; `next`: the next page; null on the last.
 *
 * `origins`: by origin, how many match all of the query but its origin.
 */
export interface BlockListReply {
  success: true;
  blocks: BlockFacts[];
  total: number;
  next: number | null;
  origins: {
    [k: string]: number;
  };
}
/**
 * The lists of the caller's departments.
 */
export interface ListReply {
  success: true;
  lists: ListFacts[];
}
/**
 * A list and its state. `refresh`, `duration`: seconds; `entries`: null before it was read.
 *
 * `pending`: blocks yet to be lifted or added; `doubtedReads`: readings in a row that were not believed.
 */
export interface ListFacts {
  name: string;
  source: string;
  departmentId: string | null;
  refresh: number;
  duration: number;
  entries: number | null;
  pending: number;
  readAt: string | null;
  checkedAt: string | null;
  trouble: string | null;
  doubtedReads: number;
  confirmReads: number;
  faults: ListFault[];
  faultCount: number;
  objections: ListObjection[];
  objectionCount: number;
}
/**
 * A line of a list that is no entry. `text`: empty for who may not see it.
 */
export interface ListFault {
  line: number;
  text: string;
  why: string;
}
/**
 * An entry that is not blocked, as a whole or in part, because the address is protected.
 */
export interface ListObjection {
  address: string;
  why: string;
}
/**
 * The schedules that concern the caller, the oldest first. `timezone`: of their windows.
 */
export interface SchedulesReply {
  success: true;
  schedules: ScheduleFacts[];
  timezone: string;
}
/**
 * A schedule. `address`, `departmentId`: null for the whole department, and for all.
 *
 * `window` and `days` of a part of the week, or `until` of one for a while. `endsAt`: it is in force until then;
 * `beginsAt`: it is not, and begins then. Neither: the time is not known yet.
 */
export interface ScheduleFacts {
  id: string;
  effect: ScheduleEffect;
  address: string | null;
  departmentId: string | null;
  reason: string;
  actor: string;
  addedAt: string;
  window?: string;
  days?: Weekday[];
  until?: string;
  endsAt?: string;
  beginsAt?: string;
}
/**
 * The argument of `schedule:add`: `window`, on `days` or on each, or once for `duration` seconds from now on.
 *
 * `address`: as for `ip:block`; of `unlimited` a host's, and without it the whole department with each of its hosts.
 * `preview`: only say what the schedule would be, and when it would begin or end.
 */
export interface ScheduleArgument {
  effect: ScheduleEffect;
  address?: string | null;
  departmentId?: string | null;
  window?: string | null;
  /**
   * one of mon, tue, wed, thu, fri, sat and sun, in a list
   *
   * @maxItems 7
   */
  days?:
    | []
    | [Weekday]
    | [Weekday, Weekday]
    | [Weekday, Weekday, Weekday]
    | [Weekday, Weekday, Weekday, Weekday]
    | [Weekday, Weekday, Weekday, Weekday, Weekday]
    | [Weekday, Weekday, Weekday, Weekday, Weekday, Weekday]
    | [Weekday, Weekday, Weekday, Weekday, Weekday, Weekday, Weekday];
  duration?: number | null;
  /**
   * one line of 1 to 200 characters
   */
  reason?: string;
  /**
   * true or false
   */
  preview?: boolean;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The schedule as it is kept, or would be.
 */
export interface ScheduleReply {
  success: true;
  schedule: ScheduleFacts;
}
/**
 * The argument of `schedule:remove`.
 */
export interface RemoveScheduleArgument {
  /**
   * the id of a schedule, as in schedule:list
   */
  id: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A department's quotas. `hosts`: those that are nearest to their own limits.
 */
export interface QuotaReply {
  success: true;
  departmentId: string;
  quotas: QuotaFacts[];
  hosts: HostQuotas[];
}
/**
 * A quota of the running period. `used`, `limit`, `granted` in bytes; `percentage` of the limit; null: no limit.
 *
 * `reachesLimitAt`: by the rate of the last minutes; `grants`: the latest, oldest first. `isExceeded`: it is used
 * up, though a rest may be left that no packet fits in; `exceededAt`: since when, as far as a trusted clock told it.
 * `isPaused`: it counts, and limits nobody for now.
 */
export interface QuotaFacts {
  type: QuotaKind;
  used: number;
  limit: number | null;
  percentage: number | null;
  granted: number;
  startedAt: string;
  resetsAt: string;
  reachesLimitAt?: string;
  grants?: GrantFacts[];
  isExceeded?: boolean;
  exceededAt?: string;
  isPaused?: boolean;
}
/**
 * More bytes for one period, and who granted them, when and why; below 0 where they were taken back.
 */
export interface GrantFacts {
  bytes: number;
  by: string;
  at: string;
  reason: string;
}
/**
 * A host and its own quotas. `mac`, or that it is behind a router, where MAC addresses do not show.
 */
export interface HostQuotas {
  address: string;
  behindRouter?: boolean;
  mac?: string;
  addresses: string[];
  quotas: QuotaFacts[];
}
/**
 * The quotas of all departments that the caller may see.
 */
export interface QuotasReply {
  success: true;
  departments: DepartmentQuotas[];
}
/**
 * A department's quotas.
 */
export interface DepartmentQuotas {
  departmentId: string;
  quotas: QuotaFacts[];
}
/**
 * The argument of `quota:closed`. `count`: at most so many periods.
 */
export interface ClosedArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  type: QuotaKind;
  /**
   * a number of periods from 1 to 400
   */
  count: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A department's periods of one kind that have ended, newest first; one in which nothing ran is missing.
 */
export interface ClosedReply {
  success: true;
  departmentId: string;
  type: QuotaKind;
  periods: ClosedPeriodFacts[];
}
/**
 * A period that has ended. `used`, `limit`, `granted` in bytes; `limit`: as it was at the end, with `granted`.
 *
 * `limit` is null where there was none, and for periods before this was kept. `exceededAt`: when it was used up.
 */
export interface ClosedPeriodFacts {
  startedAt: string;
  endedAt: string;
  used: number;
  limit: number | null;
  granted: number;
  exceededAt?: string;
}
/**
 * The argument of `quota:requests`. `departmentId`: `None` for all that the caller may see.
 */
export interface RequestsArgument {
  departmentId?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The requests of people who were cut off, newest first.
 */
export interface RequestsReply {
  success: true;
  requests: RequestFacts[];
}
/**
 * The argument of `quota:decline`. `reason`: the person who asked reads it.
 */
export interface DeclineArgument {
  /**
   * the id of a request
   */
  id: string;
  reason?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The request, as it was answered.
 */
export interface RequestReply {
  success: true;
  request: RequestFacts;
}
/**
 * The argument of `quota:set`. `limit`: bytes, `None` for no limit. `eachHost`: a limit for every single host.
 *
 * `seen`: the limit that the caller saw; where it is another one now, the call is refused.
 */
export interface LimitArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  type: QuotaKind;
  limit: number | null;
  /**
   * true or false
   */
  eachHost?: boolean;
  seen?: number | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `quota:extend`: more bytes until the running period ends. `host`: only for this one.
 *
 * `takeBack`: so many bytes of those that were granted in the period are taken back instead.
 */
export interface ExtendArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  type: QuotaKind;
  /**
   * a whole number of bytes from 1 to 2^53
   */
  bytes: number;
  /**
   * one line of 1 to 200 characters
   */
  reason: string;
  host?: string | null;
  /**
   * true or false
   */
  takeBack?: boolean;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `history:get`. `departmentId`: `None` for the sum of all that the caller may see.
 *
 * `host`: `None` for the whole department; `until` is not in the range.
 */
export interface HistoryArgument {
  departmentId: string | null;
  host?: string | null;
  /**
   * a time with its zone, such as 2024-12-16T02:00:00.000Z
   */
  from: string;
  /**
   * a time with its zone, such as 2024-12-16T02:00:00.000Z
   */
  to: string;
  /**
   * one of second, minute, 5min, hour, day, month
   */
  step: '5min' | 'day' | 'hour' | 'minute' | 'month' | 'second';
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The bytes that passed. `points`: the start of each bucket, and its bytes up and down, the oldest first.
 *
 * `expected`: the start of each bucket, and the least and most bytes, up and down together, that are usual for it;
 * only where enough weeks are known.
 */
export interface HistoryReply {
  success: true;
  departmentId: string | null;
  host: string | null;
  step: '5min' | 'day' | 'hour' | 'minute' | 'month' | 'second';
  points: [string, number, number][];
  expected?: [string, number, number][];
}
/**
 * The argument of `anomaly:list`. `departmentId`: `None` for all that the caller may see; `until` is not in it.
 */
export interface AnomaliesArgument {
  departmentId?: string | null;
  /**
   * a time with its zone, such as 2024-12-16T02:00:00.000Z
   */
  from: string;
  /**
   * a time with its zone, such as 2024-12-16T02:00:00.000Z
   */
  to: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The anomalies, newest first, at most `MOST_LISTED`.
 */
export interface AnomaliesReply {
  success: true;
  anomalies: ListedAnomaly[];
}
/**
 * An anomaly, as `analytics:anomaly` told it.
 */
export interface ListedAnomaly {
  departmentId: string;
  timestamp: string;
  anomaly: AnomalyFacts;
}
/**
 * The argument of `incident:list`. `departmentId`: `None` for all that the caller may see.
 */
export interface IncidentsArgument {
  departmentId?: string | null;
  state?: ('closed' | 'open') | null;
  kind?: IncidentKind | null;
  source?: string | null;
  /**
   * a whole number from 1 to 500
   */
  limit?: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * Incidents, the latest changed first, at most `limit` of `total`; and what is muted, the newest first.
 */
export interface IncidentsReply {
  success: true;
  incidents: IncidentSummary[];
  total: number;
  mutes: MuteFacts[];
}
/**
 * An incident, as `security:incident` tells it. `mutedBy`: the id of the mute that keeps it quiet.
 */
export interface IncidentSummary {
  id: string;
  departmentId: string;
  type: IncidentKind;
  source: string;
  severity: Severity;
  state: 'closed' | 'open';
  details: string;
  count: number;
  times: number;
  openedAt: string;
  latestAt: string;
  endedAt?: string;
  acknowledgedBy?: string;
  acknowledgedAt?: string;
  mutedBy?: string;
}
/**
 * A mute. `sentence`: what it covers, for a person; `until` is left out where it has no end.
 */
export interface MuteFacts {
  id: string;
  departmentId: string;
  by: string;
  at: string;
  sentence: string;
  kind?: IncidentKind;
  source?: string;
  destination?: string;
  port?: string;
  until?: string;
  reason?: string;
}
/**
 * The argument of `incident:get`, and with the id of a mute of `incident:unmute`.
 */
export interface IncidentArgument {
  /**
   * an id, of an incident or a mute
   */
  id: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * One incident with its evidence.
 */
export interface IncidentReply {
  success: true;
  incident: IncidentSummary;
  evidence: IncidentEvidence;
}
/**
 * What is known of an incident. `expected`: what would be ordinary; `peers`, `ports`: examples.
 *
 * `devices`: the hardware addresses that sent it; `inside`: whether the source is in the department, left out where
 * that is not known; `knownDevices`: which devices of the department source, peers and `devices` are; `course`:
 * what was told, the oldest first; `series`: how it went on, up to now while it is open; `levels`: from which count on
 * it has which severity, the lightest first.
 */
export interface IncidentEvidence {
  expected: string;
  peers: string[];
  ports: string[];
  devices: string[];
  proven: boolean;
  advice: string;
  course: IncidentStep[];
  knownDevices: IncidentDeviceFacts[];
  series: CountsFacts;
  levels: [number, Severity][];
  inside?: boolean;
}
/**
 * What was told of an incident at a time.
 */
export interface IncidentStep {
  at: string;
  change: IncidentChange;
  severity: Severity;
  count: number;
  details: string;
}
/**
 * The count of an incident by time. `since`: when the first step began; `counts`: the highest in each step.
 *
 * A step has `stepS` seconds; in one of 0 there was no evidence.
 */
export interface CountsFacts {
  from: string;
  stepS: number;
  counts: number[];
}
/**
 * The argument of `incident:acknowledge`. `undo`: nobody has seen it any more.
 */
export interface AcknowledgeArgument {
  /**
   * an id, of an incident or a mute
   */
  id: string;
  /**
   * true or false
   */
  undo?: boolean;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The incident, as it is now.
 */
export interface AcknowledgeReply {
  success: true;
  incident: IncidentSummary;
}
/**
 * The argument of `incident:mute`, of which at least one of the first four says what is meant.
 *
 * `preview`: nothing is done, and the answer says what it would cover.
 */
export interface MuteArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  kind?: IncidentKind | null;
  source?: string | null;
  destination?: string | null;
  port?: string | null;
  until?: string | null;
  reason?: string | null;
  /**
   * true or false
   */
  preview?: boolean;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The mute, and the known incidents that it covers, the latest changed first; `total` of them.
 */
export interface MuteReply {
  success: true;
  mute: MuteFacts;
  covers: IncidentSummary[];
  total: number;
}
/**
 * The argument of `report:get`. `span`: a day, an ISO week or a month.
 */
export interface ReportArgument {
  /**
   * a department's id, such as dept123
   */
  departmentId: string;
  /**
   * a day such as 2026-11-27, a week such as 2026-W48 or a month such as 2026-10
   */
  span: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A report. `until` is not in it; `before`: the span before, null where nothing is known of it.
 *
 * `days`: the start of each day, or hour of a single day, and its bytes up and down. `how`: sentences about what was
 * counted, and the gaps; `counting`: what they say.
 */
export interface ReportReply {
  success: true;
  departmentId: string;
  span: string;
  from: string;
  to: string;
  isComplete: boolean;
  up: number;
  down: number;
  before: Directions | null;
  days: [string, number, number][];
  quotas: ReportedPeriod[];
  incidents: ReportedIncident[];
  how: string[];
  counting: ReportedCounting;
}
/**
 * Bytes from the department and toward it.
 */
export interface Directions {
  up: number;
  down: number;
}
/**
 * A quota period that ended within the span, as `quota:closed` has it.
 */
export interface ReportedPeriod {
  startedAt: string;
  endedAt: string;
  used: number;
  limit: number | null;
  granted: number;
  exceededAt?: string;
  type: QuotaKind;
}
/**
 * An incident. `severity`: its worst; `until`: when it closed, left out where that was never told.
 *
 * `values`: the numbers and names that `details` says.
 */
export interface ReportedIncident {
  type: string;
  source: string;
  severity: Severity;
  details: string;
  at: string;
  until?: string;
  values?: {
    [k: string]: string | number;
  };
}
/**
 * How the figures were counted, as `how` says it in sentences.
 *
 * `upTo`: until when they go, the report's `from` where that is still ahead; `oddDays`: the start and the hours of
 * each day on which the clocks change; `gapSeconds`: in all `gaps`, which are those of a `gapStep` or more;
 * `longestGap`: its start and end, left out where there is none.
 */
export interface ReportedCounting {
  upTo: string;
  exempt: string[];
  oddDays: [string, number][];
  gaps: number;
  gapSeconds: number;
  gapStep: Step;
  /**
   * @minItems 2
   * @maxItems 2
   */
  longestGap?: [string, string];
}
/**
 * The trial; null where the configuration is not on trial.
 */
export interface TrialReply {
  success: true;
  trial: TrialFacts | null;
}
/**
 * The argument of `config:apply`: the whole text of the new configuration. `digest`: of the file it was made of.
 */
export interface ApplyArgument {
  /**
   * the text of a configuration file
   */
  text: string;
  digest?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The trial that begins.
 */
export interface ApplyReply {
  success: true;
  trial: TrialFacts;
}
/**
 * The configuration file. `path`: empty where the service runs without one; `obstacle`: why none can be tried.
 */
export interface ConfigReply {
  success: true;
  text: string;
  digest: string;
  path: string;
  obstacle?: string;
}
/**
 * The argument of `config:check`: the whole text of a new configuration.
 */
export interface CheckArgument {
  /**
   * the text of a configuration file
   */
  text: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The faults of a text, or without any, a sentence for each change of what runs.
 */
export interface CheckReply {
  success: true;
  faults: ConfigFault[];
  changes: string[];
}
/**
 * What is wrong with a text. `line`: from 1; null where it is at no one line.
 */
export interface ConfigFault {
  line: number | null;
  message: string;
}
/**
 * A sentence for each change; empty where the file has none.
 */
export interface ReloadReply {
  success: true;
  changes: string[];
}
/**
 * The argument of `system:reset`. `name`: the appliance's, typed by the person as a confirmation.
 */
export interface ResetArgument {
  /**
   * the appliance's name, as in appliance:get
   */
  name: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * How far the backup is. `bytes`: that can be read, or were given. `backup`: null before it was checked.
 */
export interface BackupReply {
  success: true;
  stage: BackupStage;
  bytes: number;
  fault: string | null;
  backup: CheckedBackup | null;
}
/**
 * What a backup says of itself, and a sentence for each change of the configuration that it would bring.
 */
export interface CheckedBackup {
  host: string;
  madeAt: string;
  version: string;
  changes: string[];
}
/**
 * The argument of `backup:create`.
 */
export interface NewBackupArgument {
  /**
   * a text of 12 to 256 characters
   */
  passphrase: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `backup:read`: from where on.
 */
export interface OffsetArgument {
  /**
   * a whole number of bytes, from 0
   */
  offset: number;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A piece of the file in Base64, empty at its end.
 */
export interface PieceReply {
  success: true;
  data: string;
}
/**
 * The argument of `backup:upload`: a piece of the file, and where it begins; 0 begins another file.
 */
export interface PieceArgument {
  /**
   * a whole number of bytes, from 0
   */
  offset: number;
  /**
   * up to 64 KiB in Base64
   */
  data: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * How many bytes there are.
 */
export interface GivenReply {
  success: true;
  bytes: number;
}
/**
 * The argument of `backup:check`.
 */
export interface CheckBackupArgument {
  /**
   * the backup's passphrase
   */
  passphrase: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `backup:restore`. `name`: the appliance's, typed by the person as a confirmation.
 */
export interface RestoreArgument {
  /**
   * the appliance's name, as in appliance:get
   */
  name: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `maintenance:start`. `startTime`: `None` for now. `repeat`: how often it is planned again.
 */
export interface StartArgument {
  /**
   * a whole number of seconds from 60 to 86400 (a minute to a day)
   */
  duration?: number;
  /**
   * one line of 1 to 200 characters
   */
  impact?: string;
  startTime?: string | null;
  repeat?: Repeat | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The maintenance as it is now, as in its event.
 */
export interface MaintenanceReply {
  success: true;
  maintenance: MaintenanceFacts;
}
/**
 * The argument of `maintenance:extend`. `duration`: the seconds by which it ends later.
 *
 * `id`: `None` for the one that runs, else the next.
 */
export interface LongerArgument {
  /**
   * a whole number of seconds from 60 to 86400 (a minute to a day)
   */
  duration: number;
  id?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `maintenance:stop`. `id`: as for `maintenance:extend`.
 */
export interface StopArgument {
  id?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `notification:list`. `before`: only notices with a smaller number; `None`: the newest.
 */
export interface RecordArgument {
  before?: number | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The channels, and the latest notices, newest first.
 */
export interface NotificationsReply {
  success: true;
  channels: ChannelFacts[];
  notices: NoticeFacts[];
}
/**
 * A channel. `kind`: mail, webhook, ...; `target`: where it leads; `waiting`: notices, now or until they are due.
 *
 * `givenUp`: notices that were never delivered. `fault`: why the latest attempt failed, at `faultAt`.
 */
export interface ChannelFacts {
  channel: string;
  kind: string;
  target: string;
  waiting: number;
  givenUp: number;
  deliveredAt?: string;
  fault?: string;
  faultAt?: string;
}
/**
 * What was told. `departmentId`: null where it is about the appliance itself.
 */
export interface NoticeFacts {
  number: number;
  at: string;
  event: string;
  severity: string;
  departmentId: string | null;
  text: string;
}
/**
 * The argument of `notification:test`: the channel's name.
 */
export interface ChannelArgument {
  /**
   * one line of 1 to 200 characters
   */
  channel: string;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * Whether the receiver has taken the message; `fault`: why not.
 */
export interface DeliveryReply {
  success: true;
  delivered: boolean;
  fault?: string;
}
/**
 * The argument of `panel:press`.
 */
export interface PressArgument {
  kind?: Press;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * Whether the press did anything: a short one does where something waits for it.
 */
export interface PressReply {
  success: true;
  done: boolean;
}
/**
 * For how many seconds the LEDs are tested.
 */
export interface TestingReply {
  success: true;
  duration: number;
}
/**
 * What runs, and the latest update. `obstacle`: why nothing can be updated here; null: it can.
 *
 * `version`, `root`: null where the image does not run; `schedule`: null where the appliance does nothing by itself.
 */
export interface UpdateReply {
  success: true;
  version: string | null;
  root: string | null;
  obstacle: string | null;
  simulated: boolean;
  update: UpdateFacts | null;
  schedule: UpdateSchedule | null;
}
/**
 * When the appliance updates itself, by its local clock, and from where.
 */
export interface UpdateSchedule {
  url: string;
  begin: string;
  end: string;
}
/**
 * The argument of `update:start`. `url`: of the bundle; `None`: the one in the folder of updates.
 */
export interface UpdateArgument {
  url?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `token:renew`. `token`: the next one; `None`: the appliance makes it, for a login only.
 */
export interface RenewArgument {
  token?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * Seconds until the caller's token expires. `token`: the next one, where the appliance made it.
 */
export interface RenewReply {
  success: true;
  token?: string;
  expiresIn: number;
}
/**
 * The argument of `token:revoke`. `id`: `None` for the caller's own token: logging out.
 */
export interface RevokeArgument {
  id?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The newest of the tokens that have not expired; `total`: the number of all of them.
 */
export interface TokensReply {
  success: true;
  tokens: TokenFacts[];
  total: number;
}
/**
 * A token that has not expired. `departments`: `*` for all, or ids with commas; `revokedAt`: null while valid.
 *
 * `connected`: the clients that have it; `seenAt`: now while connected, null: never, as far as is known.
 */
export interface TokenFacts {
  id: string;
  subject: string;
  role: Role;
  departments: string;
  origin: TokenOrigin;
  issuedAt: string;
  expiresAt: string;
  revokedAt: string | null;
  connected?: number;
  seenAt?: string | null;
}
/**
 * The argument of `user:password`. `name`: `None` for the caller's own, which needs the `current` one.
 *
 * `seen`: refused where the person is not so any more.
 */
export interface PasswordArgument {
  /**
   * a text of 10 to 200 characters
   */
  password: string;
  name?: string | null;
  current?: string | null;
  seen?: SeenPerson | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * A person as the caller saw them in `user:list`.
 */
export interface SeenPerson {
  role: Role;
  departments: string;
}
/**
 * Every person who can log in.
 */
export interface UsersReply {
  success: true;
  users: UserFacts[];
}
/**
 * A person who can log in. `departments`: `*` for all, or ids with commas.
 *
 * `connected`: the clients with a login of theirs; `seenAt`: now while connected; null: never, as far as
 * is known.
 */
export interface UserFacts {
  name: string;
  role: Role;
  departments: string;
  connected?: number;
  seenAt?: string | null;
}
/**
 * The argument of `user:add`. `departments`: `None` for all of them.
 */
export interface AddArgument {
  /**
   * 1 to 64 letters, digits, '_', '.', '@' or '-', beginning with a letter or digit
   */
  name: string;
  /**
   * a text of 10 to 200 characters
   */
  password: string;
  role: Role;
  departments?: string[] | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The person who was added.
 */
export interface UserReply {
  success: true;
  user: UserFacts;
}
/**
 * The argument of `user:remove`. `seen`: refused where the person is not so any more.
 */
export interface RemoveArgument {
  /**
   * 1 to 64 letters, digits, '_', '.', '@' or '-', beginning with a letter or digit
   */
  name: string;
  seen?: SeenPerson | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The argument of `audit:get`. `before`: only older entries than this one; `who`, `action`: only theirs.
 *
 * `contains`: only those in which this text stands anywhere.
 */
export interface AuditArgument {
  before?: number | null;
  /**
   * a whole number from 1 to 200
   */
  limit?: number;
  who?: string | null;
  action?: string | null;
  contains?: string | null;
  /**
   * names this call: one that is sent again with the same key is carried out once
   */
  idempotencyKey?: string;
}
/**
 * The newest entries, newest first. `more`: the `before` of the next page; null at the end.
 *
 * `isIntact`: whether each entry of the trail follows from the one before; with the first page, where it can be told.
 */
export interface AuditReply {
  success: true;
  entries: EntryFacts[];
  more: number | null;
  isIntact?: boolean;
}
/**
 * A change. `what`, `before`, `after`: the call's argument, and what it changed; `outcome`: done, or a code.
 *
 * `role`: empty, and `address`: null, where the change came from the appliance itself; `digest`: of this entry and
 * the digest before it.
 */
export interface EntryFacts {
  number: number;
  at: string;
  who: string;
  role: string;
  address: string | null;
  action: string;
  what: unknown;
  before: unknown;
  after: unknown;
  outcome: string;
  digest: string;
}
/**
 * The acknowledgement of a call that is not carried out.
 */
export interface Refusal {
  success: false;
  /**
   * a sentence for a person
   */
  error: string;
  code:
    | 'E_UNAUTHORIZED'
    | 'E_FORBIDDEN'
    | 'E_TOKEN_EXPIRED'
    | 'E_BAD_REQUEST'
    | 'E_UNKNOWN_DEPARTMENT'
    | 'E_RATE_LIMITED'
    | 'E_MAINTENANCE'
    | 'E_CONFLICT'
    | 'E_NOT_ENFORCEABLE'
    | 'E_PROTECTED_ADDRESS'
    | 'E_QUOTA_EXCEEDED'
    | 'E_INTERNAL';
}
