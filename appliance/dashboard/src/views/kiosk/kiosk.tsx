export default function Kiosk() {
  return <main />;
}
