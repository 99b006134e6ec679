using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Which disk of an image a cmdlet is to use, by its parameters and by the object that named the image.</summary>
internal static class SnapshotChoice
{
    /// <summary>Chooses.</summary>
    /// <param name="image">The image, and the object that named it.</param>
    /// <param name="idOrName">What -SnapshotName says.</param>
    /// <param name="id">What -Id says.</param>
    /// <returns>The selector of a snapshot; null for the active disk.</returns>
    /// <exception cref="ImageCmdletException">The object is about another snapshot than the parameters.</exception>
    internal static SnapshotSelector? Of(ImageInput image, string? idOrName, string? id)
    {
        SnapshotSelector? own = image.Object?.SelectSnapshot();
        SnapshotSelector? said = Of(idOrName, id);
        if (own is null || said is null)
        {
            return own ?? said;
        }

        bool isSame = (id is null || id == own.Id)
            && (idOrName is null || idOrName == own.Id || string.Equals(idOrName, own.Name, StringComparison.OrdinalIgnoreCase));
        return isSame ? own : throw new ImageCmdletException("ParameterConflict", ErrorCategory.InvalidArgument,
            $"{image.Path}: the object is about the snapshot '{DisplayText.Printable(own.ToString())}', and the parameters ask for '{DisplayText.Printable(said.ToString())}'. For another snapshot than the object's, give the image's path.");
    }

    /// <summary>Chooses by parameters alone.</summary>
    /// <param name="idOrName">What the parameter of the name says.</param>
    /// <param name="id">What the parameter of the id says.</param>
    internal static SnapshotSelector? Of(string? idOrName, string? id)
        => idOrName is null && id is null ? null : new SnapshotSelector { IdOrName = idOrName, Id = id };

    /// <summary>Refuses an object that is about a snapshot where the cmdlet can do something to the active disk only.</summary>
    /// <param name="image">The image, and the object that named it.</param>
    /// <param name="done">What would be done, as a participle.</param>
    internal static void RequireActiveDisk(ImageInput image, string done)
    {
        if (image.Object?.SelectSnapshot() is not null)
        {
            throw ImageCmdletException.NotPossible(
                $"{image.Path}: a snapshot cannot be {done}, only the active disk of an image. Name the image if that is meant.");
        }
    }
}
