using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens what an image refers to, as far as it is allowed to.</summary>
public abstract class ReferenceCmdlet : ImageCmdlet
{
    private string? _folder;

    /// <summary>
    /// Which files may be opened because an image names them as its backing file or data file. <c>Follow</c>, the default,
    /// opens any local file. <c>Forbid</c> opens none: an image that needs one is an error. <c>Confine</c> opens those that
    /// lie in the folder of <c>-ConfineTo</c>, or in the image's own folder, or below. Use the last two for images from
    /// people you do not trust: an image can name any file of this machine as its backing file, and converting it would
    /// copy that file's content.
    /// </summary>
    [Parameter]
    public ImageReferencePolicy ReferencePolicy { get; set; }

    /// <summary>
    /// The folder in which, or below which, the files that an image names must lie, after symbolic links are resolved. With
    /// it, <c>-ReferencePolicy</c> is <c>Confine</c> by default.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? ConfineTo { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (ConfineTo is null)
        {
            return;
        }

        if (MyInvocation.BoundParameters.ContainsKey(nameof(ReferencePolicy)) && ReferencePolicy != ImageReferencePolicy.Confine)
        {
            var conflict = new PSArgumentException($"-ConfineTo goes with -ReferencePolicy Confine, not with {ReferencePolicy}.", nameof(ConfineTo));
            ThrowTerminatingError(new ErrorRecord(conflict, "ParameterConflict", ErrorCategory.InvalidArgument, ReferencePolicy));
        }

        ReferencePolicy = ImageReferencePolicy.Confine;
        ForFile(ConfineTo, () => _folder = Resolver.Literal(ConfineTo));
        if (_folder is null || !Directory.Exists(_folder))
        {
            var missing = new ItemNotFoundException($"Cannot find the folder '{ConfineTo}' of -ConfineTo because it does not exist.");
            ThrowTerminatingError(new ErrorRecord(missing, "PathNotFound", ErrorCategory.ObjectNotFound, ConfineTo));
        }
    }

    /// <summary>How to open an image.</summary>
    /// <param name="imagePath">Full path of the image.</param>
    private protected virtual Qcow2OpenOptions OptionsFor(string imagePath) => new()
    {
        References = ReferencePolicy switch
        {
            ImageReferencePolicy.Forbid => Engine.ReferencePolicy.Forbid,
            ImageReferencePolicy.Confine => Engine.ReferencePolicy.Confine(_folder ?? System.IO.Path.GetDirectoryName(imagePath) ?? imagePath),
            _ => Engine.ReferencePolicy.Follow,
        },
        OnProblem = NoteDamage,
    };
}
