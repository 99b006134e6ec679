using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that reads what the guest's disk holds.</summary>
public abstract class DiskReadingCmdlet : DiskCmdlet
{
    /// <summary>
    /// The passphrase of an image that is encrypted with LUKS or the legacy AES method, and of all encrypted images of its
    /// backing chain unless <c>-BackingPassphrase</c> is given. It is not needed otherwise. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// The passphrases of the encrypted files below the image, where they have others than the image: one for all of them, or a table that says which file has which, by path or by name:
    /// <c>@{ 'base.qcow2' = $one; 'golden.qcow2' = $other }</c>. By default it is that of <c>-Passphrase</c>, which is not tried where this is given.
    /// </summary>
    /// <value>That of -Passphrase</value>
    [Parameter]
    [ValidateNotNull]
    public BackingPassphrase? BackingPassphrase { get; set; }

    /// <summary>
    /// Reads an image even though another program, such as a running virtual machine, has it open for writing, as
    /// <c>qemu-img -U</c> does. What is read may be inconsistent: parts of it can be newer than others.
    /// </summary>
    [Parameter]
    [Alias("U")]
    public SwitchParameter ForceShare { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        ForceShare = ForceShare,
        Passphrase = Unseal(Passphrase),
        BackingPassphrases = Unseal(BackingPassphrase),
    };
}
