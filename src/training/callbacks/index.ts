// The callbacks that come with the library; the public namespace `callbacks`.

export { BackupAndRestore, type BackupAndRestoreOptions, backupAndRestore } from "./backup-and-restore.ts";
export { CSVLogger, type CSVLoggerOptions, csvLogger } from "./csv-logger.ts";
export { EarlyStopping, type EarlyStoppingOptions, earlyStopping } from "./early-stopping.ts";
export { history } from "./history.ts";
export { lambda } from "./lambda.ts";
export {
  type EpochSchedule,
  LearningRateScheduler,
  learningRateScheduler,
} from "./learning-rate-scheduler.ts";
export { ModelCheckpoint, type ModelCheckpointOptions, modelCheckpoint } from "./model-checkpoint.ts";
export {
  ReduceLROnPlateau,
  type ReduceLROnPlateauOptions,
  reduceLROnPlateau,
} from "./reduce-lr-on-plateau.ts";
export { RemoteMonitor, type RemoteMonitorOptions, remoteMonitor } from "./remote-monitor.ts";
export { SwapEMAWeights, type SwapEMAWeightsOptions, swapEMAWeights } from "./swap-ema-weights.ts";
export { TensorBoard, type TensorBoardOptions, tensorBoard } from "./tensor-board.ts";
export { TerminateOnNaN, type TerminateOnNaNOptions, terminateOnNaN } from "./terminate-on-nan.ts";
