if jump {}
