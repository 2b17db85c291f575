import { type Admission, free } from '../src/dispatch/admission.ts'

/** For parts that are looked at without a pace: every call may go at once. */
export const openAdmission: Admission = {
  admit: async (_channel, _call, { permit } = {}) => permit ?? free,
  left: () => {},
  answered: () => {},
  throttle: () => {},
  note: () => {}
}
