redirect ["a@example.org"];
