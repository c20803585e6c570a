// "myelin/tabular": networks for tables, from columns to predictions.

export type { ColumnKind, ColumnPlan, LeftOut } from "./columns.ts";
export { isTabular, loadTabular } from "./loading.ts";
export type { ClassificationScores, LabelScore, RegressionScores, Scores } from "./scores.ts";
export {
  type Importance,
  type ImportanceOptions,
  type PredictTableOptions,
  TabularModel,
  type TabularRows,
} from "./tabular-model.ts";
export type { Target, TaskName } from "./target.ts";
export { type TabularTraining, type TrainTabularOptions, trainTabular } from "./train.ts";
