/** What happened last: alerts, and blocks as they come and go. */
import { computed } from '@preact/signals';
import type { ComponentChildren } from 'preact';

import { anomalyDetails } from '../../live/anomaly_words';
import { incidentName, kindOf, periodOf } from '../../live/condition_words';
import { clockSeconds, day, fixed, full, moment, visible } from '../../live/formats';
import { nowMs } from '../../live/clock';
import { deviceNameOf } from '../../live/devices';
import { incidents } from '../../live/incidents';
import { isAdministrator } from '../../live/session';
import { alerts, appliance, blockEvents, departmentOf, departments, nameOf, type Alert } from '../../live/state';
import { Icon, type IconName } from '../../parts/icons';
import { Name } from '../../parts/name';
import { parts, say, words } from '../../words/words';

const w = words({
  en: {
    title: 'Latest', since: 'since {time}', audit: 'Audit trail', opened: 'opened, {severity}', grows: 'goes on, {severity}', closed: 'ended', by: '{type} by {source}', low: 'low', medium: 'medium', high: 'high', critical: 'critical',
    spike: '{name}: unusual traffic. {details}', confidence: 'confidence {value}', warning: '{name} passed {share} % of its {kind} quota', critical_quota: '{name} passed {share} % of its {kind} quota', exceeded: '{name} used up its {kind} quota', reset: '{name}: the {kind} quota begins anew',
    host: '{name}: a device’s own {kind} quota, {host}', blocked: 'Blocked {address} for {name}{until}', unblocked: 'Lifted {address} for {name}', until: ' until {time}', all: 'all', several: { one: '{count} department', other: '{count} departments' }, empty: 'Nothing has happened since {time}.', device: '{name}: a new device, {device}',
  },
  de: {
    title: 'Neuestes', since: 'seit {time}', audit: 'Änderungsprotokoll', opened: 'begonnen, {severity}', grows: 'geht weiter, {severity}', closed: 'beendet', by: '{type} durch {source}', low: 'gering', medium: 'mittel', high: 'hoch', critical: 'kritisch',
    spike: '{name}: ungewöhnlicher Verkehr. {details}', confidence: 'Zuversicht {value}', warning: '{name}: {share} % verbraucht ({period})', critical_quota: '{name}: {share} % verbraucht ({period})', exceeded: '{name}: Kontingent verbraucht ({period})', reset: '{name}: Das Kontingent beginnt neu ({period})',
    host: '{name}: Kontingent eines Geräts ({period}), {host}', blocked: '{address} gesperrt für {name}{until}', unblocked: '{address} frei für {name}', until: ' bis {time}', all: 'alle', several: { one: '{count} Abteilung', other: '{count} Abteilungen' }, empty: 'Nichts geschehen seit {time}.', device: '{name}: ein neues Gerät, {device}',
  },
});

const MOST = 6;
const TOGETHER_MS = 2000; // a block for all is told of each department

interface Happening {
  key: string;
  at: string;
  icon: IconName;
  tone: string;
  text: ComponentChildren;
}

const SEVERITIES = { low: w.low, medium: w.medium, high: w.high, critical: w.critical } as const;
const bold = (name: string) => <Name of={name} />;

function ofAlert(alert: Alert): Happening {
  const base = { key: `alert ${alert.alertId ?? alert.timestamp}`, at: alert.timestamp };
  const name = bold(nameOf(alert.departmentId));
  switch (alert.kind) {
    case 'incident': {
      const { type, source, state, proven } = alert.incident;
      const severity = SEVERITIES[alert.severity as keyof typeof SEVERITIES] ?? alert.severity;
      const id = incidents.peek().find((one) => one.course.some((update) => update.alertId === alert.alertId))?.id;
      const isFirst = incidents.peek().some((one) => one.course.at(-1)?.alertId === alert.alertId);
      const words = state === 'closed' ? w.closed : say(isFirst ? w.opened : w.grows, { severity });
      return {
        ...base,
        icon: 'incident',
        tone: state === 'closed' ? 'mid' : alert.severity === 'high' || alert.severity === 'critical' ? 'mark-crit' : 'mark-warn',
        text: (
          <>
            <a href={id === undefined ? '/incidents' : `/incidents/${encodeURIComponent(id)}`}>{parts(w.by, { type: incidentName(type), source: bold((proven === false ? null : deviceNameOf(alert.departmentId, source)) ?? source) })}</a> {words} <span class="dim">{name}</span>
          </>
        ),
      };
    }
    case 'anomaly': {
      const { severity, confidence } = alert.anomaly;
      return {
        ...base,
        icon: 'rising',
        tone: severity === 'low' ? 'mid' : 'mark-warn',
        text: (
          <>
            {parts(w.spike, { name, details: anomalyDetails(alert) })} <span class="dim">{say(w.confidence, { value: fixed(confidence, 2) })}</span>
          </>
        ),
      };
    }
    case 'quota': {
      const values = { name, share: String(thresholdOf(alert)), kind: kindOf(alert.quota.type), period: periodOf(alert.quota.type) };
      const texts = { warning: w.warning, critical: w.critical_quota, exceeded: w.exceeded, reset: w.reset } as const;
      const type = alert.type as keyof typeof texts;
      return { ...base, icon: type === 'exceeded' ? 'crit' : 'quota', tone: type === 'exceeded' ? 'mark-crit' : type === 'reset' ? 'mid' : 'mark-warn', text: parts(texts[type], values) };
    }
    case 'device': {
      const { device } = alert;
      const link = <a href={`/devices?${new URLSearchParams({ open: device.mac })}`}>{bold(device.name ?? device.addresses[0] ?? device.mac)}</a>;
      return { ...base, icon: 'device', tone: 'mid', text: parts(w.device, { name, device: link }) };
    }
    default:
      return { ...base, icon: 'quota', tone: alert.type === 'reset' ? 'mid' : 'mark-warn', text: parts(w.host, { name, kind: kindOf(alert.quota.type), period: periodOf(alert.quota.type), host: <code>{visible(alert.host)}</code> }) };
  }
}

/** Blocks of one address that came at once are one happening. */
function ofBlocks(): Happening[] {
  const found: { key: string; at: string; kind: 'blocked' | 'unblocked'; address: string; duration: number; ids: string[] }[] = [];
  for (const event of blockEvents.value) {
    const same = found.find((one) => one.kind === event.kind && one.address === event.ip.address && Math.abs(Date.parse(one.at) - Date.parse(event.timestamp)) < TOGETHER_MS);
    if (same !== undefined) {
      if (!same.ids.includes(event.departmentId)) same.ids.push(event.departmentId);
    } else if (found.length < MOST) {
      const duration = event.kind === 'blocked' ? event.ip.duration : 0;
      found.push({ key: `${event.kind} ${event.ip.address} ${event.timestamp}`, at: event.timestamp, kind: event.kind, address: event.ip.address, duration, ids: [event.departmentId] });
    }
  }
  return found.map(({ key, at, kind, address, duration, ids }) => {
    const name = ids.length === 1 ? bold(nameOf(ids[0])) : ids.length === departments.value.length ? w.all : say(w.several, { count: ids.length });
    const until = duration > 0 ? say(w.until, { time: moment(Date.parse(at) + duration * 1000) }) : '';
    return { key, at, icon: 'block', tone: 'mid', text: parts(w[kind], { address: <code>{visible(address)}</code>, name, until }) };
  });
}

/** The highest threshold that was passed, in percent. */
function thresholdOf({ departmentId, quota }: Extract<Alert, { kind: 'quota' }>): number {
  const passed = (departmentOf(departmentId)?.facts.value.thresholds ?? []).filter((one) => one * 100 <= quota.percentage);
  return Math.round(100 * Math.max(...passed, 0)) || Math.floor(quota.percentage);
}

const GRADES = ['reset', 'warning', 'critical', 'exceeded'];

/** The newest alerts. A step that passes several thresholds of a quota tells of each; it is one happening: that of the highest. */
function newest(): Alert[] {
  const found = new Map<string, Alert>();
  for (const alert of alerts.value) {
    const isOfQuota = alert.kind === 'quota' || alert.kind === 'host';
    const key = isOfQuota ? [alert.departmentId, alert.quota.type, 'host' in alert ? alert.host : '', alert.timestamp].join(' ') : `${alert.kind} ${alert.alertId ?? alert.timestamp}`;
    const known = found.get(key);
    if (known === undefined && found.size === MOST) break;
    if (known === undefined || (isOfQuota && 'type' in known && GRADES.indexOf(alert.type) > GRADES.indexOf(known.type))) found.set(key, alert);
  }
  return [...found.values()];
}

const latest = computed(() => {
  incidents.value;
  return [...newest().map(ofAlert), ...ofBlocks()].sort((one, other) => (one.at < other.at ? 1 : -1)).slice(0, MOST);
});

/** The time of today with its seconds; of another day its date. */
function timeText(at: string): string {
  return day(at) === day(nowMs()) ? clockSeconds(at) : day(at);
}

export function Latest() {
  const found = latest.value;
  const since = found.at(-1)?.at ?? appliance.value?.startedAt;
  return (
    <section class="sheet" aria-labelledby="latest">
      <header>
        <h2 id="latest">{w.title}</h2>
        {found.length > 0 && since && <span class="period">{say(w.since, { time: moment(since) })}</span>}
        {isAdministrator.value && (
          <a class="push" href="/audit">
            {w.audit}
          </a>
        )}
      </header>
      {found.length === 0 ? (
        <p class="pad dim">{since && say(w.empty, { time: moment(since) })}</p>
      ) : (
        <ul class="feed">
          {found.map((one) => (
            <li key={one.key}>
              <time title={full(one.at)}>{timeText(one.at)}</time>
              <Icon name={one.icon} class={one.tone} />
              <div>{one.text}</div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
