using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.References;

/// <summary>
/// Turns a file name out of an image's header into the path of a local file, within the caller's
/// <see cref="ReferencePolicy"/>. Names of other sorts (<c>json:</c>, <c>nbd:</c>, <c>http:</c>) are never opened.
/// </summary>
internal static class ImageReference
{
    /// <summary>Resolves a name, without asking whether the file exists.</summary>
    /// <param name="name">The name as stored.</param>
    /// <param name="imagePath">The image that stores it; a relative name starts from its folder.</param>
    /// <returns>The full path, or null if the name is not that of a local file.</returns>
    internal static string? TryResolve(string name, string imagePath)
        => ReferenceName.TryResolve(name, System.IO.Path.GetFullPath(imagePath), ReferenceName.HostRules, out _);

    /// <summary>Resolves a name, without asking whether the file exists.</summary>
    /// <param name="name">The name as stored.</param>
    /// <param name="image">The image that stores it.</param>
    /// <returns>The full path; null if the name is not that of a local file, or the image is none.</returns>
    internal static string? TryResolve(string name, BlockStorage image) => image.HasLocalPath ? TryResolve(name, image.Path) : null;

    /// <summary>Resolves a name and checks that the policy lets it be opened.</summary>
    /// <exception cref="Qcow2Exception">It is not a local file, or the policy refuses it.</exception>
    internal static string Resolve(string name, string imagePath, string role, ReferencePolicy policy)
    {
        string? path = TryAllow(name, System.IO.Path.GetFullPath(imagePath), policy, ReferenceName.HostRules, CanonicalPath.TryOf, out string? refusal);
        return path ?? throw new Qcow2Exception(
            Qcow2ErrorCode.ReferenceForbidden, $"The image names the {role} '{PrintableText.Of(name)}', {refusal}").At(imagePath);
    }

    /// <summary>Decides whether a name may be opened.</summary>
    /// <param name="name">The name as stored.</param>
    /// <param name="imagePath">Full path of the image that stores it.</param>
    /// <param name="policy">What the caller allows.</param>
    /// <param name="rules">The host's rules for paths.</param>
    /// <param name="canonical">Resolves every link of a path; null for what does not exist.</param>
    /// <param name="refusal">Why it may not; null where it may.</param>
    /// <returns>The path to open; null where it may not be.</returns>
    internal static string? TryAllow(
        string name, string imagePath, ReferencePolicy policy, PathRules rules, Func<string, string?> canonical, out string? refusal)
    {
        if (policy is ReferencePolicy.ForbidPolicy)
        {
            refusal = "and opening other files is forbidden here.";
            return null;
        }

        if (ReferenceName.TryResolve(name, imagePath, rules, out refusal) is not string path)
        {
            refusal = $"which {refusal}; only files of this machine are ever opened.";
            return null;
        }

        if (policy is not ReferencePolicy.ConfinePolicy confine)
        {
            return path;
        }

        string? allowed = Confined(path, confine.Folder, rules, canonical);
        refusal = allowed is null ? $"which lies outside of the folder '{confine.Folder}'." : null;
        return allowed;
    }

    /// <summary>
    /// The path with its links resolved, if it lies below the folder. Of a file that does not exist, which the open will say better,
    /// the folders that do exist are looked at: a link among them can lead out, too.
    /// </summary>
    private static string? Confined(string path, string folder, PathRules rules, Func<string, string?> canonical)
    {
        string? home = canonical(folder);
        if (canonical(path) is string file)
        {
            return home is not null && ReferenceName.IsInside(file, home, rules) ? file : null;
        }

        if (!ReferenceName.IsInside(path, folder, rules))
        {
            return null;
        }

        char separator = rules == PathRules.Windows ? '\\' : '/';
        string above = path;
        while (above.LastIndexOf(separator) is > 0 and int end && end >= folder.TrimEnd(separator).Length)
        {
            above = path.Substring(0, end);
            if (canonical(above) is string existing)
            {
                return home is not null && ReferenceName.IsInside(existing + separator, home, rules) ? path : null;
            }
        }

        return path;
    }
}
