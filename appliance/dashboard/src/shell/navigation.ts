/** The views in the order of the rail: address, icon, key, and who may see them. */
import type { IconName } from '../parts/icons';
import { words } from '../words/words';

export const names = words({
  en: {
    overview: 'Overview', departments: 'Departments', devices: 'Devices', websites: 'Websites', incidents: 'Incidents', blocks: 'Blocks', quotas: 'Quotas',
    reports: 'Reports', maintenance: 'Maintenance', appliance: 'Appliance', people: 'People', audit: 'Audit trail', settings: 'Settings', more: 'More', departmentsShort: 'Depts',
  },
  de: {
    overview: 'Übersicht', departments: 'Abteilungen', devices: 'Geräte', websites: 'Webseiten', incidents: 'Vorfälle', blocks: 'Sperren', quotas: 'Kontingente',
    reports: 'Berichte', maintenance: 'Wartung', appliance: 'Gerätezustand', people: 'Benutzer', audit: 'Änderungsprotokoll', settings: 'Einstellungen', more: 'Mehr', departmentsShort: 'Abteilungen',
  },
});

export type ViewName = 'overview' | 'departments' | 'devices' | 'websites' | 'incidents' | 'blocks' | 'quotas' | 'reports' | 'maintenance' | 'appliance' | 'people' | 'audit' | 'settings';

export interface View {
  name: ViewName;
  path: string;
  icon: IconName;
  key: string; // after `g`
  isForAdministrators?: boolean;
  beginsGroup?: boolean;
}

export const VIEWS: readonly View[] = [
  { name: 'overview', path: '/', icon: 'overview', key: 'o' },
  { name: 'departments', path: '/departments', icon: 'department', key: 'd' },
  { name: 'devices', path: '/devices', icon: 'device', key: 'v' },
  { name: 'websites', path: '/websites', icon: 'website', key: 'w' },
  { name: 'incidents', path: '/incidents', icon: 'incident', key: 'i' },
  { name: 'blocks', path: '/blocks', icon: 'block', key: 'b' },
  { name: 'quotas', path: '/quotas', icon: 'quota', key: 'q' },
  { name: 'reports', path: '/reports', icon: 'report', key: 'r', beginsGroup: true },
  { name: 'maintenance', path: '/maintenance', icon: 'maintenance', key: 'm' },
  { name: 'appliance', path: '/appliance', icon: 'health', key: 'a' },
  { name: 'people', path: '/people', icon: 'people', key: 'p', isForAdministrators: true },
  { name: 'audit', path: '/audit', icon: 'audit', key: 't', isForAdministrators: true },
  { name: 'settings', path: '/settings', icon: 'settings', key: 's' },
];
