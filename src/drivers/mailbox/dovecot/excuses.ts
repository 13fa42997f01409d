export { excuses } from '../embedded/excuses.ts'
