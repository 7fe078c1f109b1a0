/** The faces that could show a card now. Each is its process's: a dead one's are no faces. */
import type { Database } from "./database.ts";

export interface FaceRow {
  readonly name: string;
  /** names a process so that it can be told from a later one with its pid */
  readonly owner: string;
}

export class FaceTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Gives the row's id. */
  insert({ name, owner }: FaceRow): number {
    const sql = "INSERT INTO faces (name, owner) VALUES (?, ?)";
    this.#database.write(sql, name, owner);
    return Number(this.#database.first("SELECT last_insert_rowid() AS id")?.["id"]);
  }

  remove(id: number): void {
    this.#database.write("DELETE FROM faces WHERE id = ?", id);
  }

  removeOwner(owner: string): void {
    this.#database.write("DELETE FROM faces WHERE owner = ?", owner);
  }

  list(): readonly FaceRow[] {
    const rows = this.#database.all("SELECT name, owner FROM faces ORDER BY id");
    return rows.map((row) => ({ name: String(row["name"]), owner: String(row["owner"]) }));
  }
}
