using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that changes the active disk of images.</summary>
public abstract class DiskWritingCmdlet : DataFileCmdlet
{
    /// <summary>
    /// The passphrase of an image that is encrypted with LUKS or the legacy AES method, and of all encrypted images of its
    /// backing chain. It is not needed otherwise. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>Emits the image as it is afterwards. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        Writable = true,
        Passphrase = Unseal(Passphrase),
    };

    /// <summary>Emits an image that was changed, if that was asked for.</summary>
    /// <param name="path">Full path of the image.</param>
    private protected void PassOn(string path)
    {
        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.Read(path));
        }
    }
}
