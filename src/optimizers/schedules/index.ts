// The public namespace `optimizers.schedules`.

export * from "./decays.ts";
export type { LearningRate } from "./read.ts";
export { LearningRateSchedule, type ScheduleConfig, type ScheduleFunction } from "./schedule.ts";
