/** A column that is empty stands for no MAC. */
export const storedMac = (row: { row_mac: string | null }): { rowMac?: string } =>
  row.row_mac === null ? {} : { rowMac: row.row_mac };
