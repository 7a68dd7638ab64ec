/** Connects at once, if somebody is logged in: while the views are read and drawn, the connection is made. */
import './state';
import { connect } from './connection';

connect();
