redirect text:
ann@example.org

