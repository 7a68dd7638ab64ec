import { words } from '../../words/words';

export const w = words({
  en: {
    title: 'People and tokens', add: 'Add somebody', people: 'People', peopleNote: 'who logs in with a password', tokens: 'Tokens', tokensNote: 'for programs, screens, and each login',
    name: 'Name', role: 'Role', departments: 'Departments', hereNow: 'Here now', password: 'Password', passwordOf: 'Password of {name}', remove: 'Remove', removeName: 'Remove {name}', lastStays: 'the last administrator stays',
    nobody: 'Nobody logs in with a password yet.', for: 'For', seen: 'Last seen', ends: 'Ends', takeBack: 'Take back', takeBackName: 'Take back the token of {name}', now: 'now', notNow: 'not now', hereYou: 'here, you',
    here: { one: 'here', other: 'here, {count} times' }, tokenHow: 'A new token is made on the appliance:',
    roles: 'What a role may do', may: 'May', viewer: 'viewer', operator: 'operator', admin: 'admin', yes: 'yes', no: 'no', ofAll: 'of all departments',
    maySee: 'See traffic, quotas, incidents, blocks', mayBlock: 'Block and unblock, grant more', maySet: 'Set quotas', mayPeople: 'Maintenance, configuration, people, tokens, audit trail',
    forbidden: 'People are managed by administrators.',
    addTitle: 'Add somebody', addAct: 'Add {name}', addActPlain: 'Add', nameHelp: 'Letters, digits, and _ . @ -', passwordHelp: '12 characters or more; a sentence is best. The person can change it.',
    addConsequence: '{name} can log in at once, as {role} of {departments}.', added: '{name} can log in.',
    passwordTitle: 'New password for {name}', passwordAct: 'Set the password', passwordConsequence: 'All logins of {name} end now. With the new password {name} can log in again.', passwordSet: 'The password of {name} is new.', newPassword: 'New password',
    currentPassword: 'Your present password',
    removeTitle: 'Remove {name}', removeConsequence: '{name} is logged out now and cannot log in any more. What {name} did stays in the audit trail. This cannot be undone.', typeName: 'Type {name} to confirm', removed: '{name} was removed.',
    revokeTitle: 'Take back a token', revokeConsequence: 'Whoever uses the token of {name} is disconnected now. This cannot be undone.', revoked: 'The token of {name} no longer serves.',
  },
  de: {
    title: 'Benutzer und Tokens', add: 'Hinzufügen', people: 'Benutzer', peopleNote: 'die sich mit Passwort anmelden', tokens: 'Tokens', tokensNote: 'für Programme, Bildschirme und jede Anmeldung',
    name: 'Name', role: 'Rolle', departments: 'Abteilungen', hereNow: 'Jetzt hier', password: 'Passwort', passwordOf: 'Passwort von {name}', remove: 'Entfernen', removeName: '{name} entfernen', lastStays: 'der letzte Verwalter bleibt',
    nobody: 'Noch meldet sich niemand mit Passwort an.', for: 'Für', seen: 'Zuletzt gesehen', ends: 'Endet', takeBack: 'Zurücknehmen', takeBackName: 'Token von {name} zurücknehmen', now: 'jetzt', notNow: 'jetzt nicht', hereYou: 'hier, Sie',
    here: { one: 'hier', other: 'hier, {count}-mal' }, tokenHow: 'Ein neues Token entsteht auf dem Gerät:',
    roles: 'Was eine Rolle darf', may: 'Darf', viewer: 'Betrachter', operator: 'Bediener', admin: 'Verwalter', yes: 'ja', no: 'nein', ofAll: 'aller Abteilungen',
    maySee: 'Verkehr, Kontingente, Vorfälle, Sperren sehen', mayBlock: 'Sperren und freigeben, mehr gewähren', maySet: 'Kontingente setzen', mayPeople: 'Wartung, Konfiguration, Benutzer, Tokens, Protokoll',
    forbidden: 'Benutzer werden von Verwaltern verwaltet.',
    addTitle: 'Benutzer hinzufügen', addAct: '{name} hinzufügen', addActPlain: 'Hinzufügen', nameHelp: 'Buchstaben, Ziffern und _ . @ -', passwordHelp: '12 Zeichen oder mehr; am besten ein Satz. Es lässt sich später ändern.',
    addConsequence: '{name} kann sich sofort anmelden, als {role} von {departments}.', added: '{name} kann sich anmelden.',
    passwordTitle: 'Neues Passwort für {name}', passwordAct: 'Passwort setzen', passwordConsequence: 'Alle Anmeldungen von {name} enden jetzt. Mit dem neuen Passwort geht es weiter.', passwordSet: 'Das Passwort von {name} ist neu.', newPassword: 'Neues Passwort',
    currentPassword: 'Ihr jetziges Passwort',
    removeTitle: '{name} entfernen', removeConsequence: '{name} wird jetzt abgemeldet und kann sich nicht mehr anmelden. Was {name} getan hat, bleibt im Protokoll. Das lässt sich nicht rückgängig machen.', typeName: 'Zum Bestätigen {name} eingeben', removed: '{name} wurde entfernt.',
    revokeTitle: 'Ein Token zurücknehmen', revokeConsequence: 'Wer das Token von {name} benutzt, wird jetzt getrennt. Das lässt sich nicht rückgängig machen.', revoked: 'Das Token von {name} gilt nicht mehr.',
  },
});
