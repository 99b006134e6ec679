using System.Management.Automation;
using System.Security;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that changes the active disk of images.</summary>
public abstract class DiskWritingCmdlet : ChainCmdlet
{
    /// <summary>
    /// The external data file, in place of the one that the image names. By default the name in the image is taken,
    /// relative to the image's folder.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DataFile { get; set; }

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

    /// <summary>Emits the image as it is afterwards. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        DataFile = DataFile is null ? null : Resolver.Literal(DataFile),
        Writable = true,
        Passphrase = Unseal(Passphrase),
        BackingPassphrases = Unseal(BackingPassphrase),
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
