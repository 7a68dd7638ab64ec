/** The dialog that gives a device the name that people have for it. */
import { useState } from 'preact/hooks';

import type { DeviceFacts } from '../../live/contract';
import { deviceChanges } from '../../live/devices';
import { visible } from '../../live/formats';
import { nameOf } from '../../live/state';
import { ActionButton, change, RefusalText, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { say } from '../../words/words';
import { w } from './words';

const LONGEST = 64;

export function RenameDialog({ device, onClose }: { device: DeviceFacts; onClose: () => void }) {
  const work = useWork();
  const label = device.nameFrom === 'label' ? device.name : null;
  const [typed, type] = useState(label ?? '');
  const name = typed.trim().replace(/\s+/g, ' ') || null;
  const former = visible(device.name ?? device.mac);
  const give = (to: string | null) => change('device:name', { departmentId: device.departmentId, host: device.mac, name: to }).then(() => deviceChanges.value++);
  const submit = async () => {
    if (!(await work.run(() => give(name)))) return;
    toast(name === null ? say(w.unnamed, { former }) : say(w.renamed, { former, name: visible(name) }), () => give(label));
    onClose();
  };
  return (
    <Dialog
      title={say(w.renameTitle, { name: former })}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy || name === label}>
          {name === null ? w.unnameAct : say(w.renameAct, { name: visible(name) })}
        </ActionButton>
      }
    >
      <div class="field">
        <label for="device-name">{w.nameLabel}</label>
        <input id="device-name" maxLength={LONGEST} value={typed} dir="auto" autocomplete="off" aria-describedby="device-name-help" onInput={(event) => type(event.currentTarget.value)} />
        <span class="help" id="device-name-help">
          {w.nameHelp}
        </span>
      </div>
      <RefusalText of={work} />
      <div class="consequence">{say(w.renameText, { department: visible(nameOf(device.departmentId)) })}</div>
    </Dialog>
  );
}
