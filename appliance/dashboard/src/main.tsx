import { render } from 'preact';

import './style/page.css';
import './shell/theme';
import './live/state';
import { connect } from './live/connection';
import { App } from './app';
import { language } from './words/words';

document.documentElement.lang = language;
connect(); // if somebody is logged in: while the page is drawn, the connection is made
const page = document.getElementById('page')!;
page.replaceChildren();
render(<App />, page);
