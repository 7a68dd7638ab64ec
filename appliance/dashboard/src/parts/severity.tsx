/** The severity of an incident or anomaly: its own shape, its colour, its word. */
import { words } from '../words/words';
import { Icon, type IconName } from './icons';

export type SeverityName = 'low' | 'medium' | 'high' | 'critical';

const w = words({ en: { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }, de: { low: 'Gering', medium: 'Mittel', high: 'Hoch', critical: 'Kritisch' } });
const LOOKS: Record<SeverityName, [IconName, string]> = { low: ['info', 'mid'], medium: ['warn', 'warn-ink'], high: ['incident', 'crit-ink'], critical: ['crit', 'crit-ink'] };
export const RANK: Record<SeverityName, number> = { low: 0, medium: 1, high: 2, critical: 3 };

export function Severity({ of: severity }: { of: SeverityName }) {
  const [icon, tone] = LOOKS[severity];
  return (
    <span class={`state ${tone}`}>
      <Icon name={icon} />
      {w[severity]}
    </span>
  );
}

/** The icon alone, where the words beside it say the severity. */
export function SeverityIcon({ of: severity }: { of: SeverityName }) {
  const [icon, tone] = LOOKS[severity];
  return <Icon name={icon} class={tone} />;
}
