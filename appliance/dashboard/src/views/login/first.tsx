export default function First() {
  return <main class="door" />;
}
