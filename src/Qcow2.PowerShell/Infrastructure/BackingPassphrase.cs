using System.Collections;
using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell;

/// <summary>The passphrases of the files below an image: one for all of them, or a table of files and passphrases.</summary>
/// <remarks>PowerShell makes one of a <see cref="SecureString"/> or of a table by itself, where a parameter takes it.</remarks>
public sealed class BackingPassphrase
{
    private readonly SecureString? _all;
    private readonly Dictionary<string, SecureString> _files = [];

    /// <summary>One passphrase for all files below the image.</summary>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    public BackingPassphrase(SecureString passphrase) => _all = passphrase ?? throw new ArgumentNullException(nameof(passphrase));

    /// <summary>A passphrase for each file.</summary>
    /// <param name="passphrases">The paths or names of the files, and the passphrase of each.</param>
    /// <exception cref="ArgumentException">A key is no text, or a value is no <see cref="SecureString"/>.</exception>
    public BackingPassphrase(IDictionary passphrases)
    {
        foreach (DictionaryEntry entry in passphrases ?? throw new ArgumentNullException(nameof(passphrases)))
        {
            if (Bare(entry.Key) is not string { Length: > 0 } file || Bare(entry.Value) is not SecureString passphrase)
            {
                throw new ArgumentException(
                    "A table of passphrases has the path or the name of a file on the left and a SecureString on the right: @{ 'base.qcow2' = (Read-Host -AsSecureString) }.", nameof(passphrases));
            }

            _files.Add(file, passphrase);
        }
    }

    /// <summary>The type's name, never a passphrase.</summary>
    public override string ToString() => nameof(BackingPassphrase);

    /// <summary>What the engine asks for the passphrase of a file. All is looked up now, on the pipeline's thread; the engine asks on others.</summary>
    /// <param name="resolve">Makes a full path of what the user wrote.</param>
    /// <param name="unseal">Makes the engine's form of a passphrase.</param>
    internal Func<string, Passphrase?> Open(Func<string, string> resolve, Func<SecureString, Passphrase?> unseal)
    {
        if (_all is not null)
        {
            Passphrase? all = unseal(_all);
            return _ => all;
        }

        var paths = new Dictionary<string, Passphrase?>(DestinationFile.PathComparer);
        var names = new Dictionary<string, Passphrase?>(DestinationFile.PathComparer);
        foreach (KeyValuePair<string, SecureString> entry in _files)
        {
            Passphrase? passphrase = unseal(entry.Value);
            paths[resolve(entry.Key)] = passphrase;
            names[entry.Key] = passphrase;
        }

        return file => paths.TryGetValue(file, out Passphrase? known) || names.TryGetValue(Path.GetFileName(file), out known) ? known : null;
    }

    private static object? Bare(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
