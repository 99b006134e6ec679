using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that sets a passphrase in a key slot.</summary>
public abstract class KeySlotChangeCmdlet : KeySlotCmdlet
{
    /// <summary>The new passphrase, which must not be empty. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    [ValidateNotNull]
    public SecureString NewPassphrase { get; set; } = new();

    /// <summary>
    /// How long it is to take to try the new passphrase on a machine like this one, in milliseconds: the iterations of key derivation follow from it, 10,000
    /// at least. Longer protects a weak passphrase better, and is waited for whenever the image is opened.
    /// </summary>
    [Parameter]
    [Alias("IterTime")]
    [ValidateRange(0, 3_600_000)]
    public int IterationTimeMilliseconds { get; set; } = Qcow2Layout.DefaultIterationTime;

    /// <summary>Emits the key slot as it is afterwards. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Sets the passphrase, and emits the slot if that was asked for.</summary>
    /// <param name="path">Full path of the image.</param>
    /// <param name="slot">The slot that was chosen; null for none.</param>
    /// <param name="force">Whether a passphrase may be replaced that nobody proved to know.</param>
    /// <param name="passphrase">The one that opens the image.</param>
    /// <param name="change">Sets it, and says in which slot.</param>
    private protected void Change(
        string path, int? slot, bool force, SecureString passphrase, Func<string, Passphrase, Passphrase, KeySlotOptions, CancellationToken, int> change)
    {
        Passphrase known = Unseal(passphrase)!;
        Passphrase wanted = Unseal(NewPassphrase)!;
        var options = new KeySlotOptions { KeySlot = slot, Force = force, KeyDerivationTime = TimeSpan.FromMilliseconds(IterationTimeMilliseconds) };
        int changed = Derive(path, token => change(path, known, wanted, options, token));
        WriteVerbose($"{path}: key slot {changed} has the new passphrase.");
        if (PassThru)
        {
            WriteObject(SlotsOf(path)[changed]);
        }
    }
}
