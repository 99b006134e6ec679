using System.Collections;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Keeps objects from being turned into text and taken for a path: the text of a snapshot is its name, and a file may be called so.
/// PowerShell binds such an object to another parameter then, or by its properties, which it tries last.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PathTextAttribute : ArgumentTransformationAttribute
{
    /// <summary>Whether the parameter takes wildcards, which the name of a file that comes as an object is not.</summary>
    public bool HasWildcards { get; set; }

    /// <summary>Whether an image's description may stand for its file.</summary>
    public bool TakesImage { get; set; }

    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) => Unwrap(inputData) switch
    {
        IList list and not byte[] => Map(list, inputData),
        object item => Single(item, inputData!),
        null => inputData,
    };

    /// <summary>The error after which PowerShell goes on to other parameters; it does so only for this inner exception.</summary>
    internal static ArgumentTransformationMetadataException GoOn(string message) => new(message, new PSInvalidCastException(message));

    private object? Map(IList list, object? original)
    {
        object?[] items = [.. list.Cast<object?>().Select(item => Unwrap(item) is object value ? Single(value, item!) : item)];
        return items.Where((item, index) => !ReferenceEquals(item, list[index])).Any() ? items : original;
    }

    private object Single(object value, object original) => value switch
    {
        FileSystemInfo file => HasWildcards ? new ItemPath(file.FullName) : file.FullName,
        Qcow2ImageInfo image when TakesImage => image.Path,
        PSCustomObject when TakesImage && ImageObjectReader.Read(original) is Qcow2ImageInfo image => image.Path,
        PSCustomObject or IDictionary or Qcow2ImageObject => throw Refuse(value, original),
        _ when value.GetType().Assembly == typeof(Qcow2ImageObject).Assembly => throw Refuse(value, original),
        _ => original,
    };

    private static ArgumentTransformationMetadataException Refuse(object value, object original)
    {
        string type = value is PSCustomObject ? PSObject.AsPSObject(original).TypeNames[0] : value.GetType().Name;
        return GoOn($"'{DisplayText.Printable(original.ToString())}' is an object ({type}) and not a path. Give the parameter the path that is meant, or the object to -InputObject or down the pipeline.");
    }

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    /// <summary>
    /// The path of a file that came as an object. No text, so that from the pipeline the file still binds to <c>-LiteralPath</c>.
    /// </summary>
    private sealed class ItemPath(string path)
    {
        public override string ToString() => WildcardPattern.Escape(path);
    }
}
