using System.Security;

namespace Qcow2.Shell.Hosting;

/// <summary>Reads a secret from the terminal without showing it.</summary>
internal static class SecretReader
{
    /// <summary>Reads to Enter; Backspace takes back, Escape starts again.</summary>
    /// <param name="readKey">Gives the next key.</param>
    internal static SecureString Read(Func<ConsoleKeyInfo> readKey)
    {
        SecureString secret = new();
        for (ConsoleKeyInfo key = readKey(); key.Key != ConsoleKey.Enter; key = readKey())
        {
            if (key.Key == ConsoleKey.Escape)
            {
                secret.Clear();
            }
            else if (key.Key == ConsoleKey.Backspace)
            {
                if (secret.Length > 0)
                {
                    secret.RemoveAt(secret.Length - 1);
                }
            }
            else if (!char.IsControl(key.KeyChar))
            {
                secret.AppendChar(key.KeyChar);
            }
        }

        secret.MakeReadOnly();
        return secret;
    }

    /// <summary>A secret of <paramref name="text"/>, for input that comes from a pipe.</summary>
    internal static SecureString FromText(string text)
    {
        SecureString secret = new();
        foreach (char c in text)
        {
            secret.AppendChar(c);
        }

        secret.MakeReadOnly();
        return secret;
    }
}
