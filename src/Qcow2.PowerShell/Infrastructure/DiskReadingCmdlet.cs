using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that reads what the guest's disk holds.</summary>
public abstract class DiskReadingCmdlet : DiskCmdlet
{
    /// <summary>
    /// The passphrase of an image that is encrypted with LUKS or the legacy AES method, and of all encrypted images of its
    /// backing chain. It is not needed otherwise. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

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
    };
}
