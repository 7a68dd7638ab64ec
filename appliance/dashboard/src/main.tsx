import { render } from 'preact';

import './style/page.css';
import './shell/theme';
import './live/begin';
import { App } from './app';
import { language } from './words/words';

document.documentElement.lang = language;
const page = document.getElementById('page')!;
page.replaceChildren();
render(<App />, page);
