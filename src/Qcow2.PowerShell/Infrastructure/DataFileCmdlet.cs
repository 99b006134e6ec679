using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens an image together with its external data file.</summary>
public abstract class DataFileCmdlet : ChainCmdlet
{
    /// <summary>
    /// The external data file, in place of the one that the image names. By default the name in the image is taken,
    /// relative to the image's folder.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DataFile { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        DataFile = DataFile is null ? null : Resolver.Literal(DataFile),
    };
}
