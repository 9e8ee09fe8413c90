import { createRoot } from 'preact/compat/client';
import { App } from './App';
import './style.css';

createRoot(document.getElementById('root')!).render(<App />);
