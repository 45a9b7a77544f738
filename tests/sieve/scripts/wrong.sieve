jump;
